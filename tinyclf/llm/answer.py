"""What an LLM said of one turn: read from log-probabilities of letters or from JSON, and checked against the labels."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyclf.errors import LlmError
from tinyclf.labelset import Head, LabelSet
from tinyclf.llm.question import LETTERS, Order, questions

Raw = Mapping[str, Sequence[Sequence[float]]]
"""Question key to one row of probabilities over its options for each order that was asked."""

SPACE_MARKS = str.maketrans("▁Ġ", "  ")
"""How tokenizers spell a leading space: sentencepiece and byte-level BPE."""

BY_ID = "token_id:"
"""How vLLM names tokens where it is asked for ids."""
SLACK = 1e-3
"""Rounding may lift a log-probability a little above 0."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An LLM's answer for one turn, with what it cost.

    ``mass``: how much probability all letters had together, of the least sure call; ``None`` for JSON answers, which
    carry no probabilities. ``milliseconds``: wall time of the whole answer. Token counts are 0 where the server tells
    none.
    """

    raw: Raw
    mass: float | None
    milliseconds: float
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0

    def rows(self, labels: LabelSet) -> list[list[float]]:
        """Class probabilities, a row for each head: the mean over the orders in which a question was asked."""
        found: dict[str, list[float]] = {head.name: [] for head in labels.heads}
        for question in questions(labels):
            asked = self.raw[question.key]
            mean = [sum(column) / len(asked) for column in zip(*asked, strict=True)]
            found[question.head.name] += mean[:1] if question.about else mean
        return list(found.values())


def read_letter(logprobs: Any, order: Order, token_ids: Mapping[int, str]) -> tuple[list[float], float]:
    """Probabilities over the options behind the letters, and their total mass, from one token's ``top_logprobs``.

    Spellings of one letter ("A", " A", "▁A") are added up; ``token_ids`` tells which letter an id spells, for servers
    that name tokens by id. A letter that is not listed is at most as probable as the least listed token and as what
    the listed ones leave; it gets the lesser of the two bounds. ``LlmError`` when no letter is listed or a
    log-probability is no number at most 0.
    """
    listed = _listed(logprobs)
    place = {letter: i for i, letter in enumerate(LETTERS[: len(order)])}
    found = [0.0] * len(order)
    for token, logprob in listed:
        number = token.removeprefix(BY_ID)
        letter = token_ids.get(int(number)) if token != number and number.isdecimal() else spelled(token)
        if letter in place:
            found[place[letter]] += math.exp(logprob)
    mass = min(sum(found), 1.0)
    if mass <= 0:
        raise LlmError("off-label", "none of the letters is among the listed tokens")
    if missing := [i for i, p in enumerate(found) if p <= 0]:
        left = max(1.0 - sum(math.exp(logprob) for _, logprob in listed), 0.0) / len(missing)
        bound = min(math.exp(min(logprob for _, logprob in listed)), left)
        for i in missing:
            found[i] = bound
    total = sum(found)
    options = [0.0] * len(order)
    for i, option in enumerate(order):
        options[option] = found[i] / total
    return options, mass


def spelled(token: str) -> str:
    """The text of a token without the space that it may begin with, however its tokenizer writes that."""
    return token.translate(SPACE_MARKS).strip()


def read_json(content: str, heads: Sequence[Head], *, cut: bool = False) -> dict[str, str | tuple[str, ...]]:
    """The labels in a JSON answer; ``LlmError`` when it is cut off, no JSON, or outside the label set."""
    start = content.find("{")
    try:
        answer, _ = json.JSONDecoder().raw_decode(content, start) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):  # its text is not passed on: an answer may quote the turn
        reason = "truncated" if cut else "not-json"
        raise LlmError(reason, "the answer ends before its JSON does" if cut else "the answer is not JSON") from None
    if start < 0:
        blank = not content.strip()
        raise LlmError("truncated" if cut else "not-json", "a blank answer" if blank else "the answer holds no JSON")
    labels: dict[str, str | tuple[str, ...]] = {}
    for head in heads:
        value = answer.get(head.name)
        names = tuple(value) if isinstance(value, list) and head.kind == "any-of" else (value,)
        if not all(isinstance(name, str) and name in head.names for name in names):
            raise LlmError("off-label", f"head {head.name!r}: the answer is none of its classes")
        labels[head.name] = names[0] if head.kind == "one-of" else tuple(n for n in head.names if n in names)
    return labels


def one_hot(labels: LabelSet, answered: Mapping[str, str | tuple[str, ...]]) -> Raw:
    """Labels without probabilities in the form of ``Answer.raw``: one order, all mass on what was said."""
    raw: dict[str, list[list[float]]] = {}
    for question in questions(labels):
        place = question.place(answered[question.head.name])
        raw[question.key] = [[float(i == place) for i in range(len(question.options))]]
    return raw


def _listed(logprobs: Any) -> list[tuple[str, float]]:
    """Token and log-probability of everything listed at the first place, with the chosen token, each once.

    Two tokens may be printed alike, so a token is known by its id where there is one, and by its figure where not.
    """
    entries: dict[tuple[object, object], tuple[str, float]] = {}
    try:
        first = logprobs["content"][0]
        for entry in (*first["top_logprobs"], first):
            token, logprob = entry["token"], entry["logprob"]
            if not isinstance(token, str) or not isinstance(logprob, int | float) or not logprob <= SLACK:
                raise LlmError("bad-logprobs", "a log-probability is no number at most 0")
            entries[(entry.get("id", token), logprob)] = (token, logprob)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise LlmError("no-logprobs", "the answer carries no log-probabilities") from error
    return list(entries.values())
