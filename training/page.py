"""The report of a fit as a page to read: figures, what is mixed up, and how far confidence can be believed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tinyclf.files import whole_file, write_whole
from tinyclf.tables import markdown
from training.diagnostics import mixed_up
from training.report import slice_header, slice_rows

PAGE = "REPORT.md"
COUNTED = 30
"""A matrix of more classes shows colours alone."""


def write_page(report: Mapping[str, Any], folder: Path) -> Path:
    """Write ``REPORT.md`` with its plots into the run folder, and return its path."""
    parts = ["# Report\n", _sizes(report)]
    for point, metrics in report["test"].items():
        parts += [f"## Test split, operating point {point}\n", markdown(slice_header(metrics), slice_rows(metrics))]
    for place, (head, found) in enumerate(report.get("diagnostics", {}).items()):
        parts.append(f"## {head}\n\nOn the test split, at the operating point {report['diagnosed']}.\n")
        if "confusion" in found:
            _save(_confusion(head, found), folder / f"confusion-{place}.png")
            parts.append(f"![confusion of {head}](confusion-{place}.png)\n")
            if pairs := mixed_up(list(found["classes"]), found["confusion"]):
                parts.append(markdown(["mistaken", "for", "turns"], pairs))
        _save(_reliability(head, found), folder / f"reliability-{place}.png")
        parts.append(f"![reliability of {head}](reliability-{place}.png)\n")
        parts.append(
            markdown(
                ["class", "n", "precision", "recall", "F1"],
                [
                    [name, c["n"], f"{c['precision']:.3f}", f"{c['recall']:.3f}", f"{c['f1']:.3f}"]
                    for name, c in sorted(found["classes"].items(), key=lambda item: item[1]["f1"])
                ],
            )
        )
    write_whole(folder / PAGE, "\n".join(parts))
    return folder / PAGE


def _sizes(report: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{n} {name}" for name, n in report["splits"].items())
    heat = ", ".join(f"{name} {value:.2f}" for name, value in report["temperatures"].items())
    kept = ", ".join(str(member["best_epoch"] or member["epoch"]) for member in report["members"])
    return f"Rows: {sizes}. Weights of each member after epoch: {kept}. Temperatures: {heat}.\n"


def _confusion(head: str, found: Mapping[str, Any]) -> Figure:
    """Rows are the true class, columns the answer, as shares of a row."""
    counts, names = np.array(found["confusion"]), list(found["classes"])
    side = min(4 + 0.45 * len(names), 22)
    figure = Figure(figsize=(side, side))
    panel = figure.subplots()
    panel.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    if len(names) <= COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                panel.text(column, row, str(count), ha="center", va="center", fontsize=8)
    size = 9 if len(names) <= COUNTED else 5
    # Class names are any text, and a dollar sign in one is no formula.
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=size, parse_math=False)
    panel.set_yticks(range(len(names)), names, fontsize=size, parse_math=False)
    panel.set_title(head, parse_math=False)
    panel.set(xlabel="answer", ylabel="true class")
    return figure


def _reliability(head: str, found: Mapping[str, Any]) -> Figure:
    """Accuracy over confidence above, how many answers stand there below."""
    figure = Figure(figsize=(5, 5.5))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    points = found["reliability"]
    confidence = [point["confidence"] for point in points]
    top.plot([0, 1], [0, 1], linestyle=":", color="grey", label="as sure as right")
    top.plot(confidence, [point["accuracy"] for point in points], marker="o", label="answers")
    top.set_title(head, parse_math=False)
    top.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    top.legend(loc="upper left")
    _counts(bottom, confidence, [point["n"] for point in points])
    return figure


def _counts(panel: Axes, confidence: list[float], counts: list[int]) -> None:
    panel.bar(confidence, counts, width=0.04)
    panel.set(xlabel="confidence", ylabel="answers")


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
