"""From a raw record to a turn and its labels; reasons name columns and heads, never what a child said."""

import json
from collections.abc import Mapping
from typing import Any

from tinyclf.labelset import Head, LabelSet
from tinyclf.turn import Turn

Distribution = Mapping[str, float]
"""Class to probability, for one head; classes that are left out have none."""
Targets = Mapping[str, Distribution]
"""Head to class to the probability that the class is right; a head that is absent has no label."""


def turn_of(record: Mapping[str, Any], text_column: str = "utterance") -> Turn:
    """The turn of a record; ``ValueError`` says which column is missing, blank or no text."""
    return Turn(_text(record, text_column, required=True), _text(record, "previous"), _text(record, "reply"))


def label_of(head: Head, value: Any) -> Distribution | None:
    """A label in any of its forms, or ``None`` where there is none.

    A label is a name, a list or ``a|b`` of names (any-of), or class probabilities; lists and probabilities also as
    JSON. ``ValueError`` says what is wrong with it.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and value[:1] in ("[", "{") and value not in head.names:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"head {head.name!r}: not JSON") from error
    if isinstance(value, Mapping):
        if not all(isinstance(p, int | float | None) for p in value.values()):
            raise ValueError(f"head {head.name!r}: class probabilities must be numbers")
        target = {str(name): float(p) for name, p in value.items() if p}
        total = sum(target.values())
        if any(not 0 <= p <= 1 for p in target.values()) or (head.kind == "one-of" and abs(total - 1) > 0.01):
            raise ValueError(f"head {head.name!r}: the class probabilities are no distribution")
    elif head.kind == "any-of":
        names = value.split("|") if isinstance(value, str) else value
        if not isinstance(names, list):
            raise ValueError(f"head {head.name!r}: any-of labels are a list or names joined by '|'")
        target = {str(name): 1.0 for name in names}
    else:
        target = {str(value): 1.0}
    for name in target:
        if name not in head.names:  # not named: a shifted column would put the child's words here
            raise ValueError(f"head {head.name!r}: unknown class; its classes are {', '.join(head.names)}")
    return target


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


def most_likely(head: Head, target: Distribution) -> str | tuple[str, ...]:
    """The most probable class of a one-of head, or those of an any-of head that are more likely than not."""
    if head.kind == "one-of":
        return max(target, key=target.__getitem__)
    return tuple(name for name in head.names if target.get(name, 0.0) >= 0.5)


def _is_empty(value: Any) -> bool:
    """Whether a value has no number in any class, as a table's row without labels may come out."""
    return isinstance(value, Mapping) and bool(value) and all(p is None for p in value.values())


def _is_soft(head: Head, value: Any) -> bool:
    """Whether a label gives class probabilities, as a mapping or as JSON of one."""
    return isinstance(value, Mapping) or (isinstance(value, str) and value[:1] == "{" and value not in head.names)


def _text(record: Mapping[str, Any], column: str, *, required: bool = False) -> str:
    value = record.get(column)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        kind = "missing" if column not in record else type(value).__name__
        raise ValueError(f"column {column!r} must be text, it is {kind}")
    if required and not value.strip():
        raise ValueError(f"column {column!r} is blank")
    return value
