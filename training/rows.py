"""Labelled rows: a turn, its targets and where it stands; every bad row is named, never dropped in silence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.labelset import Labels, as_tuple
from tinyclf.records import Targets, gold_and_teacher, most_likely, turn_of
from tinyclf.sources import Record
from training.teacher import NOBODY, Source, source_of, weight_of, why_no_label


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled turn; ``family`` names the rows that must land in the same split.

    ``gold`` are labels as people gave them, ``teacher`` the soft labels of a teacher, ``source`` says which one.
    ``weight``, 0 to 1, is how far a teacher's labels count in training, for the heads on which it alone speaks.
    """

    turn: Turn
    gold: Targets
    place: str
    family: str
    id: str = ""
    lang: str = ""
    topic: str = ""
    teacher: Targets = field(default_factory=dict)
    weight: float = 1.0
    source: Source = NOBODY

    @property
    def targets(self) -> Targets:
        """What the row is judged by, head by head: gold where there is gold, otherwise the teacher's word."""
        return {**self.teacher, **self.gold} if self.teacher else self.gold

    def labels(self, labels: LabelSet) -> Labels:
        """The most probable labels of the targets, head by head; heads without a target are left out."""
        targets = self.targets
        return {head.name: most_likely(head, targets[head.name]) for head in labels.heads if head.name in targets}


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
            gold={head: dict.fromkeys(as_tuple(value), 1.0) for head, value in example.labels.items()},
            place=f"label set {labels.name}, example {number}",
            family=f"examples/{number}",
        )
        for number, example in enumerate(labels.examples, 1)
    ]


def _row(place: str, record: Mapping[str, Any], labels: LabelSet, text_column: str) -> Row:
    turn = turn_of(record, text_column)
    gold, teacher = gold_and_teacher(record, labels)
    if not gold and not teacher:
        raise ValueError(why_no_label(record, labels))
    known = {head.name: most_likely(head, gold[head.name]) for head in labels.heads if head.name in gold}
    if clash := labels.conflicts(known):  # a teacher is asked about each head by itself: its answers may clash
        raise ValueError(f"incompatible labels: {clash[0][0]} and {clash[0][1]}")
    return Row(
        turn=turn,
        gold=gold,
        place=place,
        family=str(record.get("family") or turn.utterance.casefold().strip()),
        id=str(record.get("id") or ""),
        lang=str(record.get("lang") or ""),
        topic=place.rpartition(":")[0].rpartition("/")[2].partition(".")[0],
        teacher=teacher,
        weight=weight_of(record) if teacher else 1.0,
        source=source_of(record) if teacher else NOBODY,
    )
