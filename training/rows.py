"""Labelled rows: a turn, its targets and where it stands; every bad row is named, never dropped in silence."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.labelset import Head, Labels, as_tuple
from training.sources import Record

Targets = Mapping[str, Mapping[str, float]]
"""Head to class to the probability that the class is right; a head that is absent is not trained on the row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled turn; ``family`` names the rows that must land in the same split."""

    turn: Turn
    targets: Targets
    place: str
    family: str
    id: str = ""
    lang: str = ""
    topic: str = ""

    def labels(self, labels: LabelSet) -> Labels:
        """The most probable labels of the targets, head by head; heads without a target are left out."""
        return {head.name: _hard(head, self.targets[head.name]) for head in labels.heads if head.name in self.targets}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why. The reason never quotes the utterance."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(slots=True)
class Rows:
    """What was read: the good rows and the bad ones."""

    good: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def to_rows(records: Iterable[Record], labels: LabelSet, text_column: str = "utterance") -> Rows:
    """Turn raw records into rows by the label set; a record that does not fit becomes a ``BadRow``."""
    rows = Rows()
    for place, record, reason in records:
        if record is None:
            rows.bad.append(BadRow(place, reason))
            continue
        try:
            rows.good.append(_row(place, record, labels, text_column))
        except ValueError as error:
            rows.bad.append(BadRow(place, str(error)))
    return rows


def example_rows(labels: LabelSet) -> list[Row]:
    """The examples of a label set as rows to train on."""
    return [
        Row(
            turn=example.turn,
            targets={head: dict.fromkeys(as_tuple(value), 1.0) for head, value in example.labels.items()},
            place=f"label set {labels.name}, example {number}",
            family=f"examples/{number}",
        )
        for number, example in enumerate(labels.examples, 1)
    ]


def _row(place: str, record: Mapping[str, Any], labels: LabelSet, text_column: str) -> Row:
    turn = Turn(_text(record, text_column, required=True), _text(record, "previous"), _text(record, "reply"))
    targets = {}
    for head in labels.heads:
        value = record.get(head.name)
        if value is not None and value != "":
            targets[head.name] = _target(head, value)
    if not targets:
        wanted = ", ".join(head.name for head in labels.heads)
        raise ValueError(f"no label: none of the columns {wanted} has a value")
    row = Row(
        turn=turn,
        targets=targets,
        place=place,
        family=str(record.get("family") or turn.utterance.casefold().strip()),
        id=str(record.get("id") or ""),
        lang=str(record.get("lang") or ""),
        topic=place.rpartition(":")[0].rpartition("/")[2].partition(".")[0],
    )
    if clash := labels.conflicts(row.labels(labels)):
        raise ValueError(f"incompatible labels: {clash[0][0]} and {clash[0][1]}")
    return row


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


def _target(head: Head, value: Any) -> dict[str, float]:
    """A label in any of its forms: a name, a list or ``a|b`` of names, or class probabilities (also as JSON)."""
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


def _hard(head: Head, target: Mapping[str, float]) -> str | tuple[str, ...]:
    if head.kind == "one-of":
        return max(target, key=target.__getitem__)
    return tuple(name for name in head.names if target.get(name, 0.0) >= 0.5)
