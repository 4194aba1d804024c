"""Disjoint splits by family, the same for the same rows and seed whatever their order."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.rows import Row
from training.twins import plain_turn


@dataclass(frozen=True, slots=True)
class Splits:
    """Rows to learn from, to stop early on, to calibrate on, and to test on; no family in two of them.

    Copies of a turn stay together too: ``moved`` counts those that left the split of their family for it.
    """

    train: list[Row]
    dev: list[Row]
    calibration: list[Row]
    test: list[Row]
    moved: int = 0

    def parts(self) -> dict[str, list[Row]]:
        """The rows by the name of their split."""
        return {"train": self.train, "dev": self.dev, "calibration": self.calibration, "test": self.test}


SHARES: Mapping[str, float] = {"test": 0.10, "calibration": 0.16, "dev": 0.06}
"""The share of the families in each split; the rest is train."""
UNGUARDED: Mapping[str, float] = {"test": 0.10, "calibration": 0.06, "dev": 0.06}
"""The same for a label set without guards: temperatures and thresholds need fewer rows than a bound on mistakes."""


def split_rows(rows: Sequence[Row], seed: int = 0, shares: Mapping[str, float] = SHARES) -> Splits:
    """Put every family into one split by the hash of its name.

    A turn that stands more than once goes where its first copy goes, so that no split knows a turn of another.
    """
    parts: dict[str, list[Row]] = {name: [] for name in ("train", *shares)}
    first: dict[str, str] = {}
    moved = 0
    for row in rows:
        own = part_of(row.family, seed, shares)
        part = first.setdefault(plain_turn(row.turn), own)
        moved += part != own
        parts[part].append(row)
    return Splits(**parts, moved=moved)


def with_test(splits: Splits, test: Sequence[Row]) -> Splits:
    """Splits tested on these rows instead; what was to be tested on is learnt from, and no turn of the test stays.

    ``moved`` then counts the rows that are left out because the test has their turn.
    """
    known = {plain_turn(row.turn) for row in test}
    kept = {
        name: [row for row in rows if plain_turn(row.turn) not in known]
        for name, rows in (
            ("train", [*splits.train, *splits.test]),
            ("dev", splits.dev),
            ("calibration", splits.calibration),
        )
    }
    before = sum(map(len, splits.parts().values()))
    return Splits(**kept, test=list(test), moved=before - sum(map(len, kept.values())))


def part_of(family: str, seed: int = 0, shares: Mapping[str, float] = SHARES) -> str:
    """The split of a family."""
    digest = hashlib.sha256(f"{seed}/{family}".encode("utf-8", "replace")).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in shares.items():
        if place < share:
            return name
        place -= share
    return "train"
