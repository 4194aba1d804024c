"""From gold rows to what the model is taught: a system message, a turn, and the letter of the right option."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distill.source import Item
from tinyclf import LabelSet
from tinyclf.errors import DataError
from tinyclf.llm.prompt import Prompt, written
from tinyclf.llm.question import LETTERS, Order, Question, orders, questions
from tinyclf.records import Distribution, most_likely


@dataclass(frozen=True, slots=True)
class Ask:
    """One question in one order, with the system message that asks it."""

    question: Question
    order: Order
    system: str


@dataclass(frozen=True, slots=True)
class Example:
    """One call as ``tinyclf.llm.Labeller`` makes it, and the letter that should come back."""

    system: str
    user: str
    letter: str


def asks(labels: LabelSet, shots: int | None, count: int | None = None) -> list[Ask]:
    """Every question in ``count`` orders, those of ``Labeller``; without a number each option in every place.

    ``DataError`` when a question has more options than there are letters.
    """
    prompt = Prompt(labels, shots)
    found: list[Ask] = []
    for question in questions(labels):
        options = len(question.options)
        if options > len(LETTERS):
            raise DataError(f"head {question.head.name!r}: {options} classes, but there are {len(LETTERS)} letters")
        ways = orders(options, count or 2 * options)  # 2 * options: all rotations, each also reversed
        found += [Ask(question, order, prompt.letter(question, order)) for order in ways]
    return found


def examples(labels: LabelSet, items: Iterable[Item], shots: int | None, epochs: int, seed: int) -> Iterator[Example]:
    """Each row once per epoch and question that it has gold for, in an order drawn anew each time.

    A model that sees every option behind every letter learns options, not letters (Zheng et al., arXiv:2309.03882, on
    the bias for a letter).
    """
    ways: dict[str, list[Ask]] = {}
    for ask in asks(labels, shots):
        ways.setdefault(ask.question.key, []).append(ask)
    rows = list(items)
    for epoch in range(epochs):
        for item in rows:
            for key, choices in ways.items():
                if (gold := item.gold.get(choices[0].question.head.name)) is not None:
                    ask = random.Random(f"{seed}/{epoch}/{item.key}/{key}").choice(choices)
                    yield Example(ask.system, written(item.turn), letter(ask, gold))


def letter(ask: Ask, gold: Distribution) -> str:
    """The letter behind which the right option stands."""
    return LETTERS[ask.order.index(right(ask.question, gold))]


def right(question: Question, gold: Distribution) -> int:
    """The place of the right option in ``question.options``."""
    return question.place(most_likely(question.head, gold))
