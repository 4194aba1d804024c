"""From raw answers to soft labels: away with the liking for a letter or a place, then the right temperature."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from tinyclf.llm.answer import Raw
from tinyclf.llm.question import questions

Prior = Literal["none", "batch", "content-free"]

CONTENT_FREE = (Turn("N/A"), Turn("..."), Turn(""))
"""Turns that say nothing: what the teacher answers to them is its bias (Zhao et al., arXiv:2102.09690)."""
LEAST = 1e-6
"""The least probability that is taken seriously, so that no quotient explodes."""

Soft = dict[str, Floats]
"""Question key to one probability for each of its options."""


@dataclass(frozen=True, slots=True)
class Debias:
    """Averages the orders, after dividing each by ``prior`` where there is one, then sharpens or softens.

    ``prior``: question key to an array (orders, options). ``temperatures``: question key to a temperature.
    """

    prior: Mapping[str, Floats] = field(default_factory=dict)
    temperatures: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, raw: Raw) -> Soft:
        """Probabilities of each question's options, summing to 1."""
        found = {}
        for key, rows in raw.items():
            table = np.asarray(rows, dtype=np.float64)
            if key in self.prior:
                table = np.maximum(table, LEAST) / np.maximum(self.prior[key], LEAST)
                table /= table.sum(1, keepdims=True)
            mean = table.mean(0) ** (1 / self.temperatures.get(key, 1.0))
            found[key] = mean / mean.sum()
        return found


def mean_answers(raws: Iterable[Raw]) -> dict[str, Floats]:
    """The mean of raw answers, an array (orders, options) per question.

    Over the batch that is labelled this is batch calibration (Zhou et al., arXiv:2309.17249), over content-free turns
    contextual calibration. The first takes the classes to be about equally frequent in the batch.
    """
    sums: dict[str, Floats] = {}
    count = 0
    for raw in raws:
        count += 1
        for key, rows in raw.items():
            sums[key] = sums.get(key, 0.0) + np.asarray(rows, dtype=np.float64)
    return {key: total / count for key, total in sums.items()}


def to_heads(labels: LabelSet, soft: Soft) -> tuple[dict[str, dict[str, float]], float]:
    """Class probabilities per head, and the margin of the least sure question: its first less its second."""
    heads: dict[str, dict[str, float]] = {head.name: {} for head in labels.heads}
    margin = 1.0
    for question in questions(labels):
        p = soft[question.key]
        second, first = np.sort(p)[-2:]
        margin = min(margin, float(first - second))
        if question.about:
            heads[question.head.name][question.about] = round(float(p[0]), 6)
        else:
            heads[question.head.name] = dict(zip(question.options, rounded(p), strict=True))
    return heads, round(margin, 6)


def rounded(p: Floats) -> list[float]:
    """Six places, still summing to 1: the largest takes what rounding left over."""
    short: Sequence[float] = [round(float(x), 6) for x in p]
    most = int(np.argmax(p))
    return [x + (1 - sum(short)) * (i == most) for i, x in enumerate(short)]
