"""Figures of quality from probabilities, targets and decisions; plain numpy, the same for students and peers."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binomtest
from sklearn.metrics import f1_score

from tinyclf.calibration import Floats
from tinyclf.labelset import Head

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer[Any]]


def head_score(head: Head, logits: Floats, goals: Floats) -> float:
    """Macro-F1 of one head from logits of shape (rows, classes); rows without target are left out."""
    known = ~np.isnan(goals[:, 0])
    if not known.any():
        return 1.0
    logits, goals = logits[known], goals[known]
    if head.kind == "one-of":
        return macro_f1(goals.argmax(1), logits.argmax(1))
    return any_of_f1(goals >= 0.5, logits >= 0)


def any_of_f1(truth: Bools, guess: Bools) -> float:
    """The mean of the classes' F1 over the classes that occur in ``truth``; both of shape (rows, classes)."""
    hits, total = (truth & guess).sum(0), truth.sum(0) + guess.sum(0)
    occurs = truth.any(0)
    return float((2 * hits / np.maximum(total, 1))[occurs].mean()) if occurs.any() else 1.0


def macro_f1(truth: Ints, guess: Ints) -> float:
    """The mean of the classes' F1 over the classes that occur in ``truth``."""
    return float(f1_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0))


def coverage_curve(confidence: Floats, right: npt.NDArray[np.bool_], shares: Sequence[float]) -> dict[str, float]:
    """Accuracy on the surest share of the rows, for each share."""
    order = np.argsort(-confidence, kind="stable")
    return {f"{share:g}": float(right[order[: max(1, round(share * len(order)))]].mean()) for share in shares}


def upper_bound(errors: int, trials: int, confidence: float = 0.95) -> float:
    """The one-sided Clopper-Pearson upper bound on an error rate (Clopper and Pearson, Biometrika 26, 1934)."""
    if trials == 0 or errors >= trials:
        return 1.0
    return float(beta.ppf(confidence, errors + 1, trials - errors))


def trials_needed(bound: float, confidence: float = 0.95) -> int:
    """How many trials without an error prove a rate below ``bound``."""
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - bound)))


def kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Agreement beyond chance of two raters, at most 1 (Cohen, Educational and Psychological Measurement 20, 1960).

    ``None`` where it is undefined: without answers, or when both give one and the same answer throughout.
    """
    n = len(one)
    first, second = Counter(one), Counter(other)
    chance = sum(count * second[answer] for answer, count in first.items())
    if chance == n * n:
        return None
    same = sum(a == b for a, b in zip(one, other, strict=True))
    return (same * n - chance) / (n * n - chance)


def mcnemar(lost: int, won: int) -> float:
    """The two-sided p-value that two systems are equally often right, by the rows on which only one of them is.

    ``lost`` rows had only the first right, ``won`` only the second; exact (McNemar, Psychometrika 12, 1947).
    """
    return float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0
