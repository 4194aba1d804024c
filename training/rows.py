"""Labelled rows: a turn, its targets and where it stands; every bad row is named, never dropped in silence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.labelset import Labels, as_tuple
from tinyclf.records import Distribution, label_of, most_likely, turn_of
from tinyclf.sources import Record

Targets = Mapping[str, Distribution]
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
        return {
            head.name: most_likely(head, self.targets[head.name]) for head in labels.heads if head.name in self.targets
        }


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
    turn = turn_of(record, text_column)
    labelled = {head.name: label_of(head, record.get(head.name)) for head in labels.heads}
    targets = {name: target for name, target in labelled.items() if target is not None}
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
