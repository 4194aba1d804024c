"""What an LLM is asked: one question with lettered options for each one-of head and each class of an any-of head."""

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass

from tinyclf.labelset import Head, LabelSet, as_tuple

LETTERS = string.ascii_uppercase + string.ascii_lowercase
YES_NO = ("yes", "no")

Order = tuple[int, ...]
"""Which option stands behind each letter, by its place in ``Question.options``."""


@dataclass(frozen=True, slots=True)
class Question:
    """One choice: among the classes of a one-of head, or whether one class of an any-of head holds."""

    head: Head
    about: str = ""

    @property
    def key(self) -> str:
        """A name for the question, such as ``mood`` or ``topics=weather``."""
        return f"{self.head.name}={self.about}" if self.about else self.head.name

    @property
    def options(self) -> Sequence[str]:
        """What there is to choose from."""
        return YES_NO if self.about else self.head.names

    def place(self, label: str | Sequence[str]) -> int:
        """The place among the options of the one that a label of the head makes right."""
        said = as_tuple(label)
        return list(self.options).index(("yes" if self.about in said else "no") if self.about else said[0])


def questions(labels: LabelSet) -> tuple[Question, ...]:
    """The questions of a label set, in the order of its heads."""
    asked = [[Question(h, c) for c in h.names] if h.kind == "any-of" else [Question(h)] for h in labels.heads]
    return tuple(itertools.chain.from_iterable(asked))


def orders(options: int, count: int) -> tuple[Order, ...]:
    """``count`` orders of the options that spread each over the places, to average out a liking for a place.

    Each order is followed by its reverse; pairs are rotations of one another (Pezeshkpour and Hruschka,
    arXiv:2308.11483, on how the order sways an answer).
    """
    pairs = (count + 1) // 2
    found = []
    for i in range(count):
        shift = (i // 2) * options // pairs
        order = tuple((place + shift) % options for place in range(options))
        found.append(order[::-1] if i % 2 else order)
    return tuple(found)
