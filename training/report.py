"""Figures as tables that people can read in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]], console: Console | None = None) -> None:
    """Print a table to the terminal."""
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=i == 0)
    for row in rows:
        table.add_row(*[str(cell) for cell in row])
    (console or Console()).print(table)


def slice_rows(metrics: Mapping[str, Any]) -> list[list[object]]:
    """All rows, then every slice but topics: n, accuracy and macro-F1 by head, all heads right, guarded mistakes."""
    return [
        [name, part["n"], *_heads(part), f"{part['exact']:.3f}", *_guards(part)]
        for name, part in [("all", metrics), *metrics["slices"].items()]
        if not name.startswith("topic=")
    ]


def slice_header(metrics: Mapping[str, Any]) -> list[str]:
    """The header for ``slice_rows``."""
    heads = [f"{name} {figure}" for name in metrics["heads"] for figure in ("accuracy", "F1")]
    return ["slice", "n", *heads, "all right", *metrics["guards"]]


def _heads(part: Mapping[str, Any]) -> list[str]:
    return [f"{head[figure]:.3f}" for head in part["heads"].values() for figure in ("accuracy", "macro_f1")]


def _guards(part: Mapping[str, Any]) -> list[str]:
    return [f"{guard['mistakes']} of {guard['turns']}" for guard in part["guards"].values()]
