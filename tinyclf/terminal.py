"""What commands say, on standard error: plain lines, so that results alone stand on standard output."""

import sys
from collections.abc import Sequence

import typer
from rich.console import Console

from tinyclf.errors import TinyclfError

console = Console(stderr=True)
SHOWN = 20


def say(line: str) -> None:
    """Print a line as it is: no wrapping, so that paths can be copied, and no markup, so that data stays data."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def name_bad(bad: Sequence[object]) -> None:
    """Print the first bad rows and how many there are."""
    for line in bad[:SHOWN]:
        say(str(line))
    if bad:
        more = f" ({len(bad) - SHOWN} more not shown)" if len(bad) > SHOWN else ""
        say(f"{len(bad)} bad rows{more}")


def stop_at_bad(bad: Sequence[object], skip: bool, doing: str) -> None:
    """Name the bad rows and end the command with exit code 1, unless they shall be skipped."""
    name_bad(bad)
    if bad and not skip:
        say(f"mend these rows, or {doing} without them by --skip-bad")
        raise typer.Exit(1)


def run_app(app: typer.Typer, name: str) -> None:
    """Run a command; errors that we foresaw end with one line and exit code 1."""
    try:
        app(prog_name=name)
    except (TinyclfError, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)
