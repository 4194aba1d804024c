"""What a teacher said of a row: its soft labels, how far they count and whose they are.

Reads the columns that ``python -m distill label`` writes.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tinyclf import LabelSet

Source = tuple[str, str]
"""The teacher's name and the SHA-256 of its prompt."""

NOBODY: Source = ("", "")
ROUNDING = 1e-6
"""Sums of probabilities may pass 1 by so much."""
SHORT = 60


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
