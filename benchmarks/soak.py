"""Minutes of steady load on a cascade whose LLM misbehaves in phases: ``python -m benchmarks.soak --minutes 10``.

Does memory stay flat, and is every phase as fast at the end as it was at the beginning?
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.progress import Progress

from benchmarks.load import Generator, Load
from benchmarks.machine import machine
from benchmarks.points import Points, summary
from benchmarks.results import RESULTS, console, write_results
from benchmarks.soak_report import judge, plot, text
from benchmarks.stress_systems import (
    HEALTHY,
    SLOW,
    Server,
    cascade_command,
    reserved,
    server,
    wait_until_met,
)
from benchmarks.stress_turns import classify_requests, sample_turns

RATE = 300
PHASES = {
    "healthy": ("--latency", str(HEALTHY)),
    "slow": ("--latency", str(SLOW)),
    "dead": None,
    "black hole": ("--faults", '{"timeout": 1}', "--stall", "36000", "--grace", "0"),
}
"""What the LLM does, in turns, as options of the stub; ``None``: nothing listens."""
SAMPLES = 6
"""How often memory is looked at in a phase."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at the server: seconds from the start, resident megabytes, open files beside its clients' connections."""

    at: float
    megabytes: float
    files: int


def main(
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 10.0,
    phase: Annotated[float, typer.Option(min=2, help="Seconds of each phase of the LLM.")] = 30.0,
    quick: Annotated[bool, typer.Option("--quick", help="See in a minute that all works; no results.")] = False,
) -> None:
    """Load a cascade for a while and write results/soak.{json,md,png}."""
    if quick:
        minutes, phase = 1.0, 5.0
    host = machine()
    turns, about = sample_turns()
    requests = classify_requests(turns)
    with (
        tempfile.TemporaryDirectory() as folder,
        Generator() as generator,
        Llm(Path(folder)) as llm,
        server(Path(folder) / "soak.log", *cascade_command(llm.url)) as service,
    ):
        llm.wait_until_met()
        generator(Load(service.port, requests, 1.0, rate=RATE, warm_up=0.0))
        load = Load(service.port, requests, minutes * 60, rate=RATE, warm_up=0.0)
        samples, points = _run(generator.start(load), llm, service, load.seconds, phase)
    found: dict[str, Any] = {
        "machine": host, "rate": RATE, "minutes": minutes, "phase_s": phase, "turns": about,
        "windows": list(_windows(points, load.seconds, phase)),
        "samples": [[sample.at, sample.megabytes, sample.files] for sample in samples],
    }  # fmt: skip
    found |= judge(found)
    out = Path(tempfile.mkdtemp(prefix="soak-")) if quick else RESULTS
    write_results(str(out / "soak"), found, text(found))
    plot(found, out / "soak.png")
    if quick:
        console.print(f"a quick run shows that all works, not how memory fares; written to {out}")


class Llm:
    """The stub on one port, which goes from phase to phase: each is a process of its own."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def __enter__(self) -> "Llm":
        self._stack, self.running = contextlib.ExitStack(), Server(self._logs / "stub.log", *_stub("healthy", 0))
        self.url, self._port = self.running.url, self.running.port
        return self

    def __exit__(self, *_: object) -> None:
        self.running.kill()
        self._stack.close()

    def wait_until_met(self) -> None:
        """Wait until the service has had an answer from it."""
        wait_until_met(self.running)

    def become(self, phase: str) -> None:
        """End what runs on the port and start the phase."""
        self.running.kill()
        self._stack.close()
        if PHASES[phase] is None:
            self._stack.enter_context(reserved(self._port))
        else:
            self.running = Server(self._logs / "stub.log", *_stub(phase, self._port))


def _stub(phase: str, port: int) -> list[str]:
    return ["benchmarks.stub_llm", "--port", str(port), *(PHASES[phase] or ())]


def _run(
    running: "Future[Points]", llm: Llm, service: Server, seconds: float, phase: float
) -> tuple[list[Sample], Points]:
    """Take the LLM through its phases and look at the server's memory until the load has ended."""
    began, number, samples = time.monotonic(), 0, list[Sample]()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("healthy", total=seconds)
        while (now := time.monotonic() - began) < seconds:
            if now // phase > number:
                number = int(now // phase)
                llm.become(_phase(number))
            if now >= len(samples) * phase / SAMPLES:
                samples.append(_sample(now, service))
            progress.update(task, completed=now, description=f"{_phase(number)}, {samples[-1].megabytes:.1f} MB")
            time.sleep(0.1)
    return samples, running.result()


def _phase(number: int) -> str:
    return list(PHASES)[number % len(PHASES)]


def _sample(at: float, service: Server) -> Sample:
    process = psutil.Process(service.pid)
    clients = sum(c.laddr.port == service.port and bool(c.raddr) for c in process.net_connections("tcp"))
    return Sample(round(at, 2), round(process.memory_info().rss / 1e6, 3), process.num_fds() - clients)


def _windows(points: Points, seconds: float, phase: float) -> Iterator[dict[str, Any]]:
    """The figures of each phase that was run to its end."""
    for number in range(int(seconds // phase)):
        window = points.where((points.begin >= number * phase) & (points.begin < (number + 1) * phase))
        window = replace(window, begin=window.begin - number * phase)
        yield {"phase": _phase(number), "from": number * phase} | summary(window, phase)


if __name__ == "__main__":
    typer.run(main)
