"""Disjoint splits by family, the same for the same rows and seed whatever their order."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.rows import Row


@dataclass(frozen=True, slots=True)
class Splits:
    """Rows to learn from, to stop early on, to calibrate on, and to test on; no family in two of them."""

    train: list[Row]
    dev: list[Row]
    calibration: list[Row]
    test: list[Row]


SHARES: Mapping[str, float] = {"test": 0.10, "calibration": 0.16, "dev": 0.06}
"""The share of the families in each split; the rest is train."""


def split_rows(rows: Sequence[Row], seed: int = 0) -> Splits:
    """Put every family into one split by the hash of its name (shares: ``SHARES``)."""
    parts: dict[str, list[Row]] = {name: [] for name in ("train", *SHARES)}
    for row in rows:
        parts[part_of(row.family, seed)].append(row)
    return Splits(**parts)


def part_of(family: str, seed: int = 0) -> str:
    """The split of a family."""
    digest = hashlib.sha256(f"{seed}/{family}".encode("utf-8", "replace")).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in SHARES.items():
        if place < share:
            return name
        place -= share
    return "train"
