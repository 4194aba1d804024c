"""Timelines as a picture: for each turn the robot's face, its first moment enlarged, and the whole."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch, Patch

from examples.face import draw_face
from examples.timeline import ACTION, DECISION, FAILED, FIRST_TOKEN, REQUEST, Timeline
from tinyclf.files import write_whole
from tinyclf.labelset import Look

INK, PALE, DECIDES, ACTS, WAITS, WRITES, LENS = (
    "#243b53", "#829ab1", "#f7c948", "#d64545", "#d9e2ec", "#149eb0", "#fffbe8",
)  # fmt: skip
TOP, ROW, BOTTOM = 1.1, 1.15, 1.05  # inches
LONGEST = 44


def draw(turns: Sequence[Timeline], model: str, path: Path) -> None:
    """Write the picture of some turns as a PNG, whole or not at all; ``model`` names the LLM."""
    height = TOP + ROW * len(turns) + BOTTOM - 0.45
    figure = Figure(figsize=(8.4, height), facecolor="white")
    figure.text(0.02, 1 - 0.42 / height, "The robot acts before its LLM says a word", size=16, weight="bold", color=INK)
    figure.text(0.98, 1 - 0.42 / height, model, size=11, ha="right", color=PALE, parse_math=False)
    grid = figure.add_gridspec(
        len(turns), 3, width_ratios=(0.9, 1.5, 4.4), left=0.01, right=0.98, wspace=0.1, hspace=0.75,
        top=1 - TOP / height, bottom=BOTTOM / height,
    )  # fmt: skip
    lens = math.ceil(max(turn.events[REQUEST] for turn in turns) * 1.1)
    longest = max(max(turn.events.values()) for turn in turns) * 1.02
    for row, turn in enumerate(turns):
        face, first, whole = (figure.add_subplot(grid[row, column]) for column in range(3))
        place = face.get_position()
        face.set_position((place.x0, place.y0 - 0.15 / height, place.width, place.height + 0.4 / height))
        draw_face(face, next((cls.look for cls in turn.chosen if cls.look), Look()), turn.sparkles)
        words = turn.words if len(turn.words) <= LONGEST else turn.words[: LONGEST - 1] + "…"
        first.set_title(words, loc="left", size=12.5, color=INK, parse_math=False)
        whole.set_title(turn.names, loc="right", size=12.5, weight="bold", color=INK, parse_math=False)
        _bars(first, turn, lens)
        _bars(whole, turn, longest)
        _enlarge(first, whole, lens)
        _say(whole, turn, longest)
        if row < len(turns) - 1:
            first.tick_params(labelbottom=False)
            whole.tick_params(labelbottom=False)
    first.set_xlabel("the first ms" if lens == 1 else f"the first {lens} ms", size=11, color=INK)
    whole.set_xlabel("ms since the child's words", size=11, color=INK)
    _legend(figure)
    figure.savefig(buffer := io.BytesIO(), format="png", dpi=150, metadata={"Software": None})
    write_whole(path, buffer.getvalue())


def _bars(axes: Axes, turn: Timeline, until: float) -> None:
    """The phases of a turn as one bar from 0 to ``until`` milliseconds, and a star where the robot acts."""
    at, end = turn.events, max(turn.events.values())
    said = at.get(FIRST_TOKEN, end)
    for begin, stop, colour in ((0.0, at[DECISION], DECIDES), (at[REQUEST], said, WAITS), (said, end, WRITES)):
        axes.barh(0, max(min(stop, until) - begin, 0.0), left=begin, height=1, color=colour)
    axes.plot(at[ACTION], 0, "*", markersize=17, color=ACTS, markeredgecolor="white", clip_on=False, zorder=5)
    axes.set(xlim=(0, until), ylim=(-0.75, 0.75), yticks=[])
    axes.tick_params(labelsize=10, colors=INK, length=3)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.spines["bottom"].set_color(PALE)


def _enlarge(first: Axes, whole: Axes, lens: float) -> None:
    """Show that ``first`` is the very beginning of ``whole``."""
    first.set_facecolor(LENS)
    first.set_xticks([0, lens / 2], ["0", f"{lens / 2:g}"])
    for height in (-0.5, 0.5):
        line = ConnectionPatch(
            (lens, 1.5 * height), (0, height), "data", "data", axesA=first, axesB=whole, color=PALE, linestyle=":"
        )
        whole.add_artist(line)


def _say(axes: Axes, turn: Timeline, longest: float) -> None:
    """Write when the first word came, or that none did, where there is most room: in a bar, or behind them."""
    end = max(turn.events.values())
    said = turn.events.get(FIRST_TOKEN, end)
    text = f"first token after {said:.0f} ms" if FIRST_TOKEN in turn.events else "no answer"
    text += ", then it broke off" if FAILED in turn.events and FIRST_TOKEN in turn.events else ""
    spans = ((turn.events[REQUEST], said, INK), (said, end, "white"), (end, longest, INK))
    begin, _, colour = max(spans, key=lambda span: span[1] - span[0])
    axes.text(begin + longest * 0.03, 0, text, va="center", size=11, color=colour, zorder=6)


def _legend(figure: Figure) -> None:
    star = Line2D([], [], linestyle="", marker="*", markersize=15, color=ACTS, markeredgecolor="white")
    decides, waits, writes = (Patch(color=colour) for colour in (DECIDES, WAITS, WRITES))
    words = ("tinyclf decides", "the robot acts", "the LLM is silent", "the LLM writes")
    figure.legend(
        [decides, star, waits, writes], words, loc="lower center", ncols=4, frameon=False, fontsize=11, labelcolor=INK
    )
