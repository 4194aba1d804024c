"""The turns to label, read as often as needed and always in the same order."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.files import sha256
from tinyclf.records import Distribution, label_of, turn_of
from tinyclf.sources import read_records

KEPT = ("id", "lang", "family")
"""Columns that go into the output as they are."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the input. ``key`` is the digest of its turn alone, so equal turns are labelled once."""

    place: str
    key: str
    turn: Turn
    kept: Mapping[str, str]
    gold: Mapping[str, Distribution]


@dataclass
class Source:
    """The rows of an input: all, the first ``limit``, or a random ``sample`` of them, always the same for a seed."""

    data: str
    labels: LabelSet
    text_column: str = "utterance"
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    bad: list[str] = field(default_factory=list)
    """Place and reason of every row that cannot be used, once ``rows`` is known."""

    def __post_init__(self) -> None:
        self._chosen: frozenset[int] | None = None
        self.bad = [item for item in self._read() if isinstance(item, str)]
        count = sum(1 for _ in self)
        if self.sample is not None and self.sample < count:
            self._chosen = frozenset(random.Random(self.seed).sample(range(count), self.sample))
        self.rows = sum(1 for _ in self)

    def __iter__(self) -> Iterator[Item]:
        good = (item for item in self._read() if isinstance(item, Item))
        chosen = self._chosen
        picked = (item for i, item in enumerate(good) if chosen is None or i in chosen)
        return itertools.islice(picked, self.limit)

    def _read(self) -> Iterator[Item | str]:
        for place, record, reason in read_records(self.data):
            if record is None:
                yield f"{place}: {reason}"
                continue
            try:
                yield self._item(place, record)
            except ValueError as error:
                yield f"{place}: {error}"

    def _item(self, place: str, record: Mapping[str, Any]) -> Item:
        turn = turn_of(record, self.text_column)
        gold = {}
        for head in self.labels.heads:
            value = record.get(f"{head.name}_gold", record.get(head.name))
            if (target := label_of(head, value)) is not None and not isinstance(value, Mapping):
                gold[head.name] = target
        kept = {name: str(record[name]) for name in KEPT if record.get(name) is not None}
        return Item(place, key_of(turn), turn, kept, gold)


def key_of(turn: Turn) -> str:
    """The digest of a turn: what the journal knows it by, so that no journal holds a child's words."""
    return sha256(json.dumps([turn.utterance, turn.previous, turn.reply]).encode())
