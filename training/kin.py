"""Which words are kin, by their letters or by their meaning, so that a rare one learns from those that are not rare."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD, UNKNOWN, Encoder
from tinyclf.turn import SEGMENTS
from training.augment import without_diacritics
from training.lexicon import Lexicon

Ids = TypeVar("Ids", int, Tensor)
PAIR_FACTOR = 31_337
"""A pair's bucket: its left id times this prime, less its right id, modulo the buckets; (PAD, a) is not a's own."""
LETTERS, LETTER_BUCKETS = (2, 3, 4, 5), 100_000
"""Lengths of letter n-grams, and the features that they are hashed into; 0 is none."""


@dataclass(frozen=True, slots=True)
class Features:
    """What buckets of the wide path have in common: bucket b has the features ``rows[slots[b]]``; 0 is none.

    There are ``size`` features.
    """

    slots: Tensor
    rows: Tensor
    size: int


@dataclass(frozen=True, slots=True)
class Kinship:
    """``features`` for the wide path, and for the deep one the ``meanings`` of pieces, shape (pieces, classes)."""

    features: Sequence[Features] = ()
    meanings: Tensor | None = None


class Shared(nn.Module):
    """Weights by feature, starting at zero; a bucket's is the sum of its features' over the root of their number."""

    slots: Tensor
    rows: Tensor

    def __init__(self, features: Features, classes: int) -> None:
        super().__init__()
        self.register_buffer("slots", features.slots, persistent=False)
        self.register_buffer("rows", features.rows, persistent=False)
        self.weights = nn.Embedding(features.size, classes, sparse=True)
        nn.init.zeros_(self.weights.weight)

    def forward(self, buckets: Tensor) -> Tensor:
        """Shape (..., classes) for buckets of any shape; zero for those without features."""
        slots, places = torch.unique(self.slots[buckets], return_inverse=True)
        rows = self.rows[slots]
        known = rows != 0
        total = (self.weights(rows) * known.unsqueeze(-1)).sum(1)
        shared: Tensor = (total / known.sum(1, keepdim=True).clamp(min=1).sqrt())[places]
        return shared


def kinship(encoder: Encoder, buckets: int, letters: bool, lexicon: Lexicon | None) -> Kinship:
    """What is known of the vocabulary's words before training.

    By letters (Bojanowski et al., arXiv:1607.04606) the pieces of the utterance are kin; by the lexicon its entries of
    one piece and of two, in each segment for itself.
    """
    features = [_features(_by_letters(encoder.pieces()), buckets, LETTER_BUCKETS)] if letters else []
    if lexicon is None:
        return Kinship(features)
    found = _in_pieces(lexicon, encoder)
    size = len(lexicon.classes)
    features.append(_features(_by_meaning(found, encoder.vocabulary, buckets, size), buckets, len(SEGMENTS) * size + 1))
    meanings = torch.zeros(encoder.vocabulary, size)
    for ids, classes in found.items():
        if len(ids) == 1:
            meanings[ids[0], list(classes)] = len(classes) ** -0.5
    return Kinship(features, meanings)


def _by_letters(pieces: Sequence[str]) -> dict[int, set[int]]:
    """For each piece the buckets of its letter n-grams; ``<`` begins a word."""
    found = {}
    for i, piece in enumerate(pieces[UNKNOWN + 1 :], UNKNOWN + 1):
        text = piece.replace("▁", "<")
        grams = {text[at : at + n] for n in LETTERS for at in range(len(text) - n + 1) if n < len(text)}
        found[i] = {zlib.crc32(gram.encode()) % (LETTER_BUCKETS - 1) + 1 for gram in grams}
    return found


def _in_pieces(lexicon: Lexicon, encoder: Encoder) -> dict[tuple[int, ...], set[int]]:
    """The classes of every entry that comes to one piece or two, as it is and without diacritics."""
    found: dict[tuple[int, ...], set[int]] = {}
    for entry, classes in lexicon.entries.items():
        for form in sorted({entry, without_diacritics(entry)}):  # the order decides the last bits of the weights
            ids = tuple(i for i in encoder(form) if i != PAD)
            if 1 <= len(ids) <= 2 and UNKNOWN not in ids:
                found.setdefault(ids, set()).update(classes)
    return found


def _by_meaning(
    found: Mapping[tuple[int, ...], Collection[int]], vocabulary: int, buckets: int, size: int
) -> dict[int, set[int]]:
    """The features of each bucket: a class counts for itself in each segment."""
    features: dict[int, set[int]] = {}
    for segment in range(len(SEGMENTS)):
        for ids, classes in found.items():
            own = [i + segment * vocabulary for i in ids]
            bucket = own[0] if len(own) == 1 else pair_bucket(own[0], own[1], buckets)
            features.setdefault(bucket, set()).update(1 + segment * size + c for c in classes)
    return features


def pair_bucket(left: Ids, right: Ids, buckets: int) -> Ids:
    """The bucket of a pair of neighbours, or of many at once."""
    return (left * PAIR_FACTOR - right) % buckets


def _features(found: Mapping[int, Collection[int]], buckets: int, size: int) -> Features:
    """The same as tensors."""
    most = max([1, *map(len, found.values())])
    slots, rows = torch.zeros(buckets, dtype=torch.long), torch.zeros(len(found) + 1, most, dtype=torch.long)
    for slot, (bucket, features) in enumerate(found.items(), 1):
        slots[bucket] = slot
        rows[slot, : len(features)] = torch.tensor(sorted(features))
    return Features(slots, rows, size)
