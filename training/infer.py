"""A label set from the data itself: one head with the classes found in a column."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinyclf import DataError, LabelSet
from tinyclf.labelfile import parse_labels
from tinyclf.sources import read_records


def infer_labels(sources: Sequence[str], column: str) -> LabelSet:
    """One head named as the column: any-of when some of its values are lists, one-of otherwise.

    Class probabilities count as the classes that they name. ``DataError`` when no source has a value in the column.
    """
    names: set[str] = set()
    lists = False
    for source in sources:
        for _, record, _ in read_records(source):
            value = (record or {}).get(column)
            if value is None or value == "":
                continue
            lists |= isinstance(value, list)
            names.update(map(str, value) if isinstance(value, list | Mapping) else [str(value)])
    place = ", ".join(sources)
    if not names:
        raise DataError(f"{place}: no row has a value in column {column!r}")
    head: dict[str, Any] = {"name": column, "classes": [{"name": name} for name in sorted(names)]}
    head |= {"kind": "any-of", "default": []} if lists else {"kind": "one-of", "default": min(names)}
    return parse_labels({"name": column, "heads": [head]}, lambda key: f"{place}, column {column!r}")
