"""What recognisers do to children's words, for tests alone: other changes than those that training knows."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tinyclf import Turn
from training.augment import without_diacritics
from training.rows import Row

FILLERS = ("ờ", "ừm", "à à", "thì là", "ờ thì", "um", "uh", "like")

Words = list[str]


def noisy(rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """The rows, each with one kind of noise in its utterance, the kinds in rotation."""
    rng = random.Random(seed)
    return [replace(row, turn=_noisy(row.turn, KINDS[i % len(KINDS)], rng)) for i, row in enumerate(rows)]


def _noisy(turn: Turn, kind: Callable[[Words, random.Random], Words], rng: random.Random) -> Turn:
    return replace(turn, utterance=" ".join(kind(turn.utterance.split(), rng)) or turn.utterance)


def _no_diacritics(words: Words, rng: random.Random) -> Words:
    return [without_diacritics(word) for word in words]


def _run_on(words: Words, rng: random.Random) -> Words:
    """Two words written as one."""
    if len(words) < 2:
        return words
    at = rng.randrange(len(words) - 1)
    return [*words[:at], words[at] + words[at + 1], *words[at + 2 :]]


def _filler(words: Words, rng: random.Random) -> Words:
    at = rng.randrange(len(words) + 1)
    return [*words[:at], rng.choice(FILLERS), *words[at:]]


def _slip(words: Words, rng: random.Random) -> Words:
    """Two neighbouring letters of one longer word change places."""
    long = [i for i, word in enumerate(words) if len(word) > 2]
    if not long:
        return words
    at = rng.choice(long)
    word = words[at]
    i = rng.randrange(len(word) - 1)
    return [*words[:at], word[:i] + word[i + 1] + word[i] + word[i + 2 :], *words[at + 1 :]]


KINDS: tuple[Callable[[Words, random.Random], Words], ...] = (_no_diacritics, _run_on, _filler, _slip)
