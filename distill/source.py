"""The turns to label, read as often as needed and always in the same order."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.files import sha256
from tinyclf.records import Targets, gold_and_teacher, turn_of
from tinyclf.sources import read_records
from tinyclf.turn import encodable

KEPT = ("id", "lang", "family")
"""Columns that go into the output as they are."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the input. ``key`` is the digest of its turn alone, so equal turns are labelled once."""

    place: str
    key: str
    turn: Turn
    kept: Mapping[str, str]
    gold: Targets


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
    """Place and reason of every row that cannot be used, up to the last one that is wanted."""

    def __post_init__(self) -> None:
        self._chosen: frozenset[int] | None = None
        count = 0
        for item in self._read():
            if isinstance(item, str):
                self.bad.append(item)
            else:
                count += 1
            if self.sample is None and count == self.limit:
                break
        if self.sample is not None and self.sample < count:
            self._chosen = frozenset(random.Random(self.seed).sample(range(count), self.sample))
            count = self.sample
        self.rows = count if self.limit is None else min(count, self.limit)

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
        gold, _ = gold_and_teacher(record, self.labels)
        kept = {name: encodable(str(record[name])) for name in KEPT if record.get(name) is not None}
        return Item(place, key_of(turn), turn, kept, gold)


def key_of(turn: Turn) -> str:
    """The digest of a turn: what the journal knows it by, so that no journal holds a child's words."""
    return sha256(json.dumps([turn.utterance, turn.previous, turn.reply]).encode())
