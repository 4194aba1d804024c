"""What a run has brought: a table of scores before and after, and the curve of the loss."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.table import Table

from tinyclf.files import whole_file

Scores = Mapping[str, Mapping[str, float]]
"""Head to the figures of ``HeadScore``."""


def table(before: Scores, after: Scores) -> Table:
    """The held-out scores of each head, before and after."""
    shown = Table(title="held-out rows", title_justify="left")
    for name in ("head", "rows", "accuracy", "NLL", "letter mass"):
        shown.add_column(name, justify="left" if name == "head" else "right")
    for head, old in before.items():
        new = after[head]
        shown.add_row(
            head,
            f"{old['rows']:,}",
            *(f"{old[key]:.3f} → {new[key]:.3f}" for key in ("accuracy", "nll", "mass")),
        )
    return shown


def plot_loss(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the training loss over the steps into a PNG file."""
    figure = Figure(figsize=(7, 4), layout="tight")
    FigureCanvasAgg(figure)  # no window, also where there is a screen
    axes = figure.subplots()
    axes.plot([entry["step"] for entry in history], [entry["loss"] for entry in history], linewidth=1.5)
    axes.set(xlabel="step", ylabel="training loss (nats a token)", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
