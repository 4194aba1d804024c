"""What happened when in one turn, in milliseconds since the child's words, and how a terminal shows it."""

from dataclasses import dataclass, field
from time import perf_counter

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from tinyclf.labelset import LabelClass

DECISION, ACTION, REQUEST, FIRST_TOKEN, DONE, FAILED = "decision", "action", "request", "first token", "done", "failed"
COLOURS = {FIRST_TOKEN: "bright_black", DONE: "green", FAILED: "red"}


@dataclass(slots=True)
class Timeline:
    """The events of one turn in their order; the clock starts when the child's words are known."""

    words: str
    chosen: tuple[LabelClass, ...] = ()
    failure: str = ""
    events: dict[str, float] = field(default_factory=dict)
    _start: float = field(default_factory=perf_counter)

    def mark(self, event: str) -> None:
        """Note that the event happens now, unless it happened before."""
        self.events.setdefault(event, (perf_counter() - self._start) * 1000)

    @property
    def names(self) -> str:
        """What was decided, head by head."""
        return " · ".join(cls.name for cls in self.chosen)

    @property
    def sparkles(self) -> bool:
        """Whether the robot's celebration starts."""
        return any(cls.sparkle for cls in self.chosen)

    @property
    def outcome(self) -> str:
        """One line: how long before the LLM's first word the robot acted, or that the LLM failed."""
        if FIRST_TOKEN not in self.events:
            return f"the LLM gave no answer ({self.failure}); the robot has acted already, and the talk goes on"
        wait = self.events[FIRST_TOKEN]
        lead, share = wait - self.events[ACTION], self.events[DECISION] / wait
        end = f"; then the LLM broke off ({self.failure}), and the talk goes on" if self.failure else ""
        return f"the robot acted {lead:.0f} ms before the LLM's first word; deciding took {share:.3%} of that wait{end}"


def show(timeline: Timeline, console: Console) -> None:
    """Print when each event happened, with a bar from the event before it, and the outcome."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("event", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("since the child's words", width=44)
    whole, before = max(timeline.events.values()), 0.0
    for event, at in timeline.events.items():
        table.add_row(event, f"{at:.3f}", Bar(whole, before, at, color=COLOURS.get(event, "yellow")))
        before = at
    console.print()
    console.print(table)
    console.print(timeline.outcome, highlight=False, soft_wrap=True)
    console.print()
