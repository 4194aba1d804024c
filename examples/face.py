"""A simple robot head with a look of the label set, drawn with matplotlib."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, Polygon

from tinyclf.labelset import Look

INK, SKIN, CHEEK, SPARK = "#243b53", "#e3f0fa", "#ffb3ba", "#f5b301"
SPARKS = ((-1.45, 0.75, 230), (1.45, 0.85, 260), (-1.35, -0.55, 110), (1.5, -0.3, 140), (0.75, 1.45, 110))


def draw_face(axes: Axes, look: Look, sparkle: bool = False) -> None:
    """Draw the head into ``axes``, which becomes square and loses its frame."""
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.35, 1.75), aspect="equal")
    axes.axis("off")
    line: dict[str, Any] = {"color": INK, "linewidth": 2.2, "solid_capstyle": "round"}
    axes.plot([0, 0], [1.0, 1.4], **line)
    axes.add_patch(Circle((0, 1.47), 0.12, facecolor=SPARK if sparkle else INK, edgecolor=INK, linewidth=1.5))
    box = FancyBboxPatch(
        (-0.75, -0.75), 1.5, 1.5, boxstyle="round,pad=0.3,rounding_size=0.55", facecolor=SKIN, edgecolor=INK,
        linewidth=2.2,
    )  # fmt: skip
    axes.add_patch(box)
    for side in (-1, 1):
        axes.add_patch(Ellipse((side * 0.45, 0.15), 0.3, 0.06 + 0.5 * look.eyes, color=INK))
        axes.add_patch(Ellipse((side * 0.72, -0.28), 0.28, 0.17, color=CHEEK))
        inner, outer = 0.62 + 0.2 * look.brow, 0.62 + 0.05 * look.brow
        axes.plot([side * 0.25, side * 0.68], [inner, outer], **line)
    width = 0.4 - 0.2 * look.open * (1 - look.mouth)  # an open mouth that does not smile is an O
    x = np.linspace(-width, width, 41)
    bow = 1 - (x / width) ** 2
    corner, sag = -0.45 + 0.14 * look.mouth, 0.28 * look.mouth * bow
    upper = corner - sag * (1 - look.open) + 0.15 * look.open * (1 - look.mouth) * np.sqrt(bow)
    lower = corner - sag - 0.35 * look.open * np.sqrt(bow)
    if look.open:
        axes.add_patch(Polygon(np.column_stack([[*x, *x[::-1]], [*upper, *lower[::-1]]]), closed=True, color=INK))
    axes.plot(x, upper, **line)
    for at, height, size in SPARKS if sparkle else ():
        axes.scatter(at, height, s=size / 2, marker="*", color=SPARK, clip_on=False)
