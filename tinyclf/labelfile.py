"""Read a label set from TOML (or the same table from a manifest) and name every mistake by its line."""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinyclf.errors import LabelSetError
from tinyclf.labelentry import Entry, Key, Where
from tinyclf.labelreader import Reader
from tinyclf.labelset import LabelSet

_HEADER = re.compile(r"^\s*\[\[\s*(\w+)(?:\.(\w+))?\s*\]\]")


def default_labels() -> LabelSet:
    """The label set that ships with tinyclf."""
    return read_labels(Path(str(files("tinyclf") / "labels.toml")))


def read_labels(path: Path | str) -> LabelSet:
    """Read a label set from a TOML file; ``LabelSetError`` names file, line, head and class of a mistake."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise LabelSetError(f"{path}: cannot read the label set: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabelSetError(f"{path}: not valid TOML: {error}") from error
    lines = _lines(text)

    def where(key: Key) -> str:
        while key and key not in lines:
            key = key[:-1]
        return f"{path}:{lines.get(key, 1)}"

    return parse_labels(table, where)


def parse_labels(table: Mapping[str, Any], where: Where = lambda key: "label set") -> LabelSet:
    """Build and check a label set; ``where`` turns a key such as ``("heads", 0, "classes", 2)`` into a place."""
    return Reader(Entry(table, (), where)).label_set()


def _lines(text: str) -> dict[Key, int]:
    """The line of every ``[[array]]`` entry, because tomllib keeps no positions."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    parent: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        if not (match := _HEADER.match(line)):
            continue
        array: Key = (match[1],) if match[2] is None else (*parent, match[2])
        index = counts.get(array, -1) + 1
        counts[array] = index
        found[(*array, index)] = number
        if match[2] is None:
            parent = (match[1], index)
    return found
