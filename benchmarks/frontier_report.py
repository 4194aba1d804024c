"""The page on the frontier: students by accuracy, with latency and size, and the two against each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.machine import in_words
from tinyclf.tables import markdown

mpl.use("agg")
SHIPPED = "shipped: 4 members"
BUDGET = 3.0
FIGURES = ("exact", "accuracy", "macro_f1", "surest 80 %", "f1")


def text(found: Mapping[str, Any]) -> str:
    """The page to read."""
    students = sorted(found["students"].items(), key=lambda item: -_mean(item[1], "exact"))
    table = [
        [
            name,
            len(runs),
            *(f"{_mean(runs, figure):.3f}" for figure in FIGURES),
            f"{_mean(runs, 'mistakes'):.1f}",
            f"{found['times'][name]['p50']:.1f}",
            f"{found['ratio'][name]:.2f}",
            f"{found['megabytes'][name]:.1f}",
            _seconds(runs),
        ]
        for name, runs in students
    ]
    rows, runs = found["rows"], found["students"][students[0][0]]
    return "\n".join(
        [
            f"# Latency and accuracy of students\n\n{in_words(found['machine'])}",
            "Each student differs from the shipped one, or from one member of it, in what its name says. Learnt from "
            f"{rows['train'] + rows['dev']} rows, judged on the {rows['calibration']} of the calibration split, on "
            "which the choice was made: these figures are for comparing students, and `results/quality.md` is for "
            "believing. "
            "Mean of the seeds; no thresholds. One decision of 12 to 20 tokens on an int8 bundle, the students in "
            f"turns, in microseconds and in stack floors ({found['floor']['p50']} µs here). Seconds are those of a "
            "fit, members side by side, on a machine with a fit on every core. In rotation each student finds its "
            "tables cold, so all are slower here than alone (`results/latency.md`).\n",
            markdown(
                ["student", "seeds", "all right", "emotion", "macro-F1", "surest 80 %", "celebrate F1",
                 f"celebrated of {runs[0]['guarded']}", "P50 µs", "floors", "MB", "seconds"],
                table,
            ),
            "![frontier](frontier.png)\n",
        ]
    )  # fmt: skip


def plot(found: Mapping[str, Any], path: Path) -> None:
    """All heads right over stack floors; those that no other student beats in both are joined."""
    from matplotlib import pyplot as plt

    points = {name: (found["ratio"][name], _mean(runs, "exact")) for name, runs in found["students"].items()}
    figure, axes = plt.subplots(figsize=(10, 6))
    best = sorted(points[name] for name in points if _unbeaten(points[name], list(points.values())))
    axes.step(*zip(*best, strict=True), where="post", color="grey", alpha=0.6, label="unbeaten in both")
    for name, (x, y) in points.items():
        axes.scatter(x, y, color="tab:red" if name == SHIPPED else "tab:blue", zorder=3)
        axes.annotate(name, (x, y), fontsize=7, xytext=(4, 3), textcoords="offset points")
    axes.axvline(BUDGET, color="black", linestyle=":", label=f"budget: {BUDGET:g} floors")
    axes.set(xlabel="P50 of one decision, in stack floors", ylabel="all heads right, calibration split")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


def _unbeaten(point: tuple[float, float], points: Sequence[tuple[float, float]]) -> bool:
    return not any(x <= point[0] and y >= point[1] and (x, y) != point for x, y in points)


def _seconds(runs: Sequence[Mapping[str, Any]]) -> str:
    known = [run["seconds"] for run in runs if run["seconds"] is not None]
    return f"{np.mean(known):.0f}" if known else ""


def _mean(runs: Sequence[Mapping[str, float]], figure: str) -> float:
    return float(np.mean([run[figure] for run in runs]))
