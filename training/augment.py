"""Change how a turn is said without changing what it means, as children and recognisers do."""

import random
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tinyclf import Turn

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
KEEP = frozenset(WORDS["keep"])
SWAPS = {word: [w for w in line if w != word] for line in WORDS["swaps"] for word in line}
SWITCHES = {a: b for pair in WORDS["switches"] for a, b in (pair, pair[::-1])}

Words = list[str]
Change = Callable[[Words, random.Random], Words]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often each change happens to an utterance, as probabilities for one look at one row."""

    diacritics: float = 0.12
    word_diacritics: float = 0.08
    drop: float = 0.15
    double: float = 0.08
    swap: float = 0.25
    particle: float = 0.2
    slip: float = 0.15
    switch: float = 0.1

    def __call__(self, turn: Turn, rng: random.Random) -> Turn:
        """The turn with some changes to its utterance; what the robot said stays as it is."""
        words = turn.utterance.split()
        for name, change in CHANGES.items():
            if words and rng.random() < getattr(self, name):
                words = change(words, rng)
        return replace(turn, utterance=" ".join(words) or turn.utterance)


def without_diacritics(text: str) -> str:
    """Vietnamese as typed or recognised without marks: ``đẹp`` becomes ``dep``."""
    bare = unicodedata.normalize("NFD", text).replace("đ", "d").replace("Đ", "D")
    return "".join(char for char in bare if unicodedata.category(char) != "Mn")


def _plain(words: Words, rng: random.Random) -> Words:
    return [without_diacritics(word) for word in words]


def _plain_some(words: Words, rng: random.Random) -> Words:
    return [without_diacritics(word) if rng.random() < 0.3 else word for word in words]


def _drop(words: Words, rng: random.Random) -> Words:
    free = [i for i, word in enumerate(words) if word not in KEEP]
    if len(words) < 5 or not free:
        return words
    gone = rng.choice(free)
    return words[:gone] + words[gone + 1 :]


def _double(words: Words, rng: random.Random) -> Words:
    free = [i for i, word in enumerate(words) if word not in KEEP]
    if not free:
        return words
    at = rng.choice(free)
    return words[: at + 1] + words[at:]


def _swap(words: Words, rng: random.Random) -> Words:
    return _replace_spans(words, rng, lambda span: rng.choice(SWAPS[span]) if span in SWAPS else None)


def _switch(words: Words, rng: random.Random) -> Words:
    return _replace_spans(words, rng, SWITCHES.get)


def _replace_spans(words: Words, rng: random.Random, other: Callable[[str], str | None]) -> Words:
    """Replace one span of one or two words for which there is another wording."""
    spans = [
        (at, size, found)
        for size in (2, 1)
        for at in range(len(words) - size + 1)
        if (found := other(" ".join(words[at : at + size]))) is not None
    ]
    if not spans:
        return words
    at, size, found = rng.choice(spans)
    return [*words[:at], *found.split(), *words[at + size :]]


def _particle(words: Words, rng: random.Random) -> Words:
    if rng.random() < 0.5:
        return [*rng.choice(WORDS["openers"]).split(), *words]
    return [*words, *rng.choice(WORDS["closers"]).split()]


def _slip(words: Words, rng: random.Random) -> Words:
    at = rng.randrange(len(words))
    return [*words[:at], _slipped(words[at], rng), *words[at + 1 :]]


def _slipped(word: str, rng: random.Random) -> str:
    """One slip of a recogniser: another first sound, ending or tone, or a letter lost."""
    heard = [new + word[len(old) :] for old, new in WORDS["slips"] if word.startswith(old)]
    heard += [word[: -len(old)] + new for old, new in WORDS["endings"] if word.endswith(old)]
    heard += [word.replace(old, new) for old, new in WORDS["tones"] if old in word]
    if len(word) > 3:
        lost = rng.randrange(1, len(word))
        heard.append(word[:lost] + word[lost + 1 :])
    return rng.choice(heard) if heard else word


CHANGES: dict[str, Change] = {
    "swap": _swap,
    "switch": _switch,
    "drop": _drop,
    "double": _double,
    "particle": _particle,
    "slip": _slip,
    "word_diacritics": _plain_some,
    "diacritics": _plain,
}
