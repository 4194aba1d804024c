"""What a teacher said of a row: its soft labels, how far they count and whose they are.

Reads the columns that ``python -m distill label`` writes.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tinyclf import LabelSet
from tinyclf.labelset import Head
from tinyclf.records import Distribution, label_of

Targets = Mapping[str, Distribution]
"""Head to class to the probability that the class is right; a head that is absent has no label."""
Source = tuple[str, str]
"""The teacher's name and the SHA-256 of its prompt."""

NOBODY: Source = ("", "")
ROUNDING = 1e-6
"""Sums of probabilities may pass 1 by so much."""
SHORT = 60


def gold_and_teacher(record: Mapping[str, Any], labels: LabelSet) -> tuple[Targets, Targets]:
    """The gold labels of a record and those of a teacher, by head.

    In a head's own column class probabilities are the teacher's word and everything else is gold; the column
    ``<head>_gold`` is gold. ``ValueError`` says what is wrong with a label.
    """
    gold: dict[str, Distribution] = {}
    teacher: dict[str, Distribution] = {}
    names = {head.name for head in labels.heads}
    for head in labels.heads:
        value, beside = record.get(head.name), f"{head.name}_gold"
        if (found := None if _is_empty(value) else label_of(head, value)) is not None:
            (teacher if _is_soft(head, value) else gold)[head.name] = found
        if beside not in names and (known := label_of(head, record.get(beside))) is not None:
            if gold.get(head.name, known) != known:
                raise ValueError(f"head {head.name!r}: its column and {beside!r} give two gold labels; keep one")
            gold[head.name] = known
    return gold, teacher


def weight_of(record: Mapping[str, Any]) -> float:
    """How far the teacher's labels count, 0 to 1: ``label_mass`` · (1 + ``margin``) / 2, a missing one being 1.

    ``ValueError`` names a column that holds no number from 0 to 1.
    """
    return _share(record, "label_mass") * (1 + _share(record, "margin")) / 2


def source_of(record: Mapping[str, Any]) -> Source:
    """Whose labels they are; empty where the record does not say."""
    return str(record.get("teacher") or ""), str(record.get("prompt_sha256") or "")


def why_no_label(record: Mapping[str, Any], labels: LabelSet) -> str:
    """The reason for which a record without any label cannot be used, and the way out."""
    error = record.get("error")
    if isinstance(error, str) and error and record.get("teacher"):
        short = f" ({error})" if len(error) <= SHORT and "\n" not in error else ""
        return f"the teacher gave no label{short}; run `python -m distill label` again"
    return f"no label: none of the columns {', '.join(head.name for head in labels.heads)} has a value"


def count_teachers(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """For the provenance: every teacher and prompt with the number of its rows, most rows first."""
    counted = Counter(sources).most_common()
    return [{"teacher": name, "prompt_sha256": prompt, "rows": rows} for (name, prompt), rows in counted]


def _is_empty(value: Any) -> bool:
    """Whether a value has no number in any class, as a table's row without labels may come out."""
    return isinstance(value, Mapping) and bool(value) and all(p is None for p in value.values())


def _is_soft(head: Head, value: Any) -> bool:
    """Whether a label gives class probabilities, as a mapping or as JSON of one."""
    return isinstance(value, Mapping) or (isinstance(value, str) and value[:1] == "{" and value not in head.names)


def _share(record: Mapping[str, Any], column: str) -> float:
    value = record.get(column)
    if value is None or value == "":
        return 1.0
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not -ROUNDING <= number <= 1 + ROUNDING:
        raise ValueError(f"column {column!r} must be a number from 0 to 1, or empty")
    return min(max(number, 0.0), 1.0)
