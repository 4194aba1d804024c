"""The stress run as a page and a plot."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.machine import in_words
from benchmarks.stress_systems import DROP_IN, HELD, LLM_DEAD, LLM_GOOD, LLM_MUTE, LLM_SLOW, OLD, OLD_REAL, STUDENT
from tinyclf.tables import markdown

mpl.use("agg")
FIGURES = ("p50", "p95", "p99", "p99.9", "max")
LINES = 0.64
"""The part of a panel's width that the lines take; the rest is for their names."""
LOOPS = {"closed": "users", "open": "requests/s"}
# Okabe and Ito's colours, which people with colour blindness tell apart, each with a mark of its own.
LOOKS = {
    STUDENT: ("#000000", "o"), DROP_IN: ("#0072B2", "s"), LLM_GOOD: ("#009E73", "D"), LLM_SLOW: ("#E69F00", "^"),
    LLM_DEAD: ("#56B4E9", "v"), LLM_MUTE: ("#CC79A7", "P"), HELD: ("#D55E00", "X"), OLD: ("#7F7F7F", "*"),
    OLD_REAL: ("#7F7F7F", "p"),
}  # fmt: skip


def text(found: Mapping[str, Any]) -> str:
    """The page: verdicts first, then every figure they rest on."""
    turns, rounds = found["turns"], found["rounds"]
    return "\n".join(
        [
            f"# Stress\n\n{in_words(found['machine'])}",
            "Real sockets, HTTP/1.1 with kept connections, one server process, and the load generator, the stub LLM "
            f"and all servers on the same cores. {found['seconds']:g} s a point in {rounds} round(s); at each level "
            "the systems take turns, and the first 0.5 s of each turn are warm-up and not kept. **Closed loop**: each "
            "user sends its next request when it has its answer. **Open loop**: requests leave on schedule whatever "
            "happens, and latency counts from the intended time (no coordinated omission). "
            f"{turns['n']} turns of the corpus's test split in rotation, {turns['with previous']:.0%} with `previous`, "
            f"{turns['with reply']:.0%} with `reply`; **the student is unsure of {turns['unsure']:.1%} of them**, and "
            "asks the LLM about these. Figures are milliseconds.\n",
            *(f"- **{name}**: {words}" for name, words in found["systems"].items()),
            f"\n## Verdicts\n\n{_verdicts(found)}",
            "![P99 by users and by rate](stress.png)\n",
            *(part for loop in LOOPS for part in _loop(found, loop)),
            f"## Until the breaker opened\n\n{_first_contact(found)}",
            f"## Swaps, a killed worker, a restart\n\n{_events(found['events'])}",
        ]
    )


def _verdicts(found: Mapping[str, Any]) -> str:
    rows = [
        [v["promise"], v["bar"], v["found"], f"missed by {v['missed']}" if v["missed"] else "holds"]
        for v in found["verdicts"]
    ]
    return markdown(["promise", "bar", "found", "verdict"], rows)


def _loop(found: Mapping[str, Any], loop: str) -> list[str]:
    """One level in full, then all levels by P99 with the largest, and by answers a second."""
    systems, unit = found[loop], LOOPS[loop]
    levels = sorted({level for points in systems.values() for level in points}, key=int)
    shown = "20" if loop == "closed" else "500"
    full = [[name, *_row(points[shown])] for name, points in systems.items() if shown in points]
    worst = [[name, *(_worst(points.get(level)) for level in levels)] for name, points in systems.items()]
    many = [[name, *(_many(points.get(level)) for level in levels)] for name, points in systems.items()]
    header = ["system", "n", "errors", "answers/s", *FIGURES, "by the teacher", "degraded", "sent late, P99"]
    heads = ["system", *levels]
    return [
        f"## {loop.capitalize()} loop\n\n{shown} {unit}:\n",
        markdown(header, full),
        f"P99 (and the largest) by {unit}:\n",
        markdown(heads, worst),
        f"Answers a second by {unit}:\n",
        markdown(heads, many),
    ]


def _row(point: Mapping[str, Any]) -> list[str]:
    answered = max(sum(point["sources"].values()), 1)
    return [
        f"{point['n']:,}", f"{sum(point['errors'].values())}", f"{point['per second']:,.0f}",
        *(ms(point[key]) for key in FIGURES), f"{point['sources'].get('teacher', 0) / answered:.1%}",
        f"{point['degraded']:.1%}", ms(point["late p99"]),
    ]  # fmt: skip


def _worst(point: Mapping[str, Any] | None) -> str:
    return f"{ms(point['p99'])} ({ms(point['max'])})" if point else ""


def _many(point: Mapping[str, Any] | None) -> str:
    return f"{point['per second']:,.0f}" if point else ""


def _first_contact(found: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{first['n']:,}", first["held up"], first["opened"], ms(first["p99"]), ms(first["max"]),
         ms(first["inside"]["max"])]
        for name, first in found["first contact"].items()
    ]  # fmt: skip
    header = ["system", "n", "held up for more than 1 ms", "breaker opened", "P99", "max", "max by the server's clock"]
    return (
        "The first 2 s of 20 users on a fresh server whose LLM fails: the breaker is closed, and opens on the way. "
        "These seconds come before everything else and are in no other figure; the breaker was open in all the others "
        f"(states seen after them: {_states(found)}). A probe of an open breaker goes out beside the decision and "
        f"holds nobody up.\n\n{markdown(header, rows)}"
    )


def _states(found: Mapping[str, Any]) -> str:
    words = ("closed", "half-open", "open")
    seen = {state for states in found["breaker states"].values() for state in states}
    return ", ".join(words[state] for state in sorted(seen)) or "none"


def _events(events: Mapping[str, Any]) -> str:
    swaps, kill, restart = events["swaps"], events["kill"], events["restart"]
    names = {
        "swaps": f"{swaps['swaps']} swaps between {swaps['bundles']} bundles (SIGUSR1), one worker",
        "kill": f"SIGKILL of one of 2 workers, which held {kill['connections held']} of {kill['users']} connections; "
        f"replaced after {kill['seconds until replaced']:g} s",
        "restart": f"SIGHUP, 2 workers restarted one by one in {restart['seconds until restarted']:g} s",
    }
    rows = [
        [names[key], f"{event['n']:,}", event["lost"], _kinds(event), *(ms(event[k]) for k in FIGURES)]
        for key, event in events.items()
    ]
    return "20 users throughout.\n\n" + markdown(["event", "n", "lost", "how", *FIGURES], rows)


def _kinds(event: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in event["errors"].items()) or "none"


def ms(value: float) -> str:
    """Milliseconds, as exact as they are worth reading; nothing where there is no figure."""
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def plot(found: Mapping[str, Any], path: Path) -> None:
    """P99 of every system by users and by rate, the largest latency as a thin dash above it."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(14, 6), sharey=True)
    for panel, (loop, unit) in zip(panels, LOOPS.items(), strict=True):
        levels = sorted({int(level) for points in found[loop].values() for level in points})
        ends = []
        for name, points in found[loop].items():
            colour, mark = LOOKS[name]
            at = sorted(int(level) for level in points if points[level]["sources"])
            if not at:
                continue
            worst = [points[str(level)]["p99"] for level in at]
            panel.plot(at, worst, color=colour, marker=mark, markersize=6, linewidth=1.6)
            panel.plot(at, [points[str(level)]["max"] for level in at], "_", color=colour, markersize=9)
            ends.append((worst[-1], at[-1], name))
        panel.set(xscale="log", yscale="log", xlabel=unit, title=f"{loop} loop: P99, and the largest as a dash")
        left, right = levels[0] * 0.85, levels[0] * (levels[-1] / levels[0]) ** (1 / LINES)
        panel.set_xticks(levels, labels=map(str, levels))
        panel.minorticks_off()
        panel.set_xlim(left, right)
        panel.grid(alpha=0.25)
        _label(panel, ends, levels[-1] * (right / levels[-1]) ** 0.1)
    panels[0].set_ylabel("milliseconds")
    figure.tight_layout()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _label(panel: Any, ends: Sequence[tuple[float, int, str]], x_names: float) -> None:
    """Names beside the ends of the lines, moved apart where they would overlap."""
    low, high = panel.get_ylim()
    gap = (high / low) ** 0.042
    heights: list[float] = []
    for y, _, _ in sorted(ends):
        heights.append(max(y, heights[-1] * gap) if heights else y)
    for height, (y, x, name) in zip(heights, sorted(ends), strict=True):
        colour = LOOKS[name][0]
        panel.plot([x, x_names], [y, height], color=colour, linewidth=0.5)
        panel.text(x_names, height, f" {name}", color=colour, fontsize=9, va="center")
