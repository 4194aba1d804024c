"""Where results go: one JSON file with everything, one Markdown file to read, plots beside them."""

from pathlib import Path
from typing import Any

from rich.console import Console

from tinyclf.files import write_json, write_whole

RESULTS = Path(__file__).parent.parent / "results"
console = Console(stderr=True)


def write_results(name: str, found: dict[str, Any], text: str) -> None:
    """Write ``results/NAME.json`` and ``results/NAME.md``, whole or not at all, and show the text."""
    write_json(RESULTS / f"{name}.json", found)
    write_whole(RESULTS / f"{name}.md", text)
    console.print(text, markup=False, highlight=False)
