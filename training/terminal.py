"""What the commands say, on standard error: plain lines, so that results alone stand on standard output."""

import typer
from rich.console import Console

from training.rows import Rows

console = Console(stderr=True)
SHOWN = 20


def say(line: str) -> None:
    """Print a line as it is: no wrapping, so that paths can be copied, and no markup, so that data stays data."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def name_bad(bad: list[str]) -> None:
    """Print the first bad rows and how many there are."""
    for line in bad[:SHOWN]:
        say(line)
    if bad:
        more = f" ({len(bad) - SHOWN} more not shown)" if len(bad) > SHOWN else ""
        say(f"{len(bad)} bad rows{more}")


def stop_at_bad(rows: Rows, skip: bool, doing: str = "train") -> None:
    """Name the bad rows and end the command with exit code 1, unless they shall be skipped."""
    name_bad([str(row) for row in rows.bad])
    if rows.bad and not skip:
        say(f"mend these rows, or {doing} without them by --skip-bad")
        raise typer.Exit(1)
