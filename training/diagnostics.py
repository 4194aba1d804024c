"""What a student mixes up, and how far its confidence can be believed: counts for tables and plots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.decode import Chosen
from tinyclf.labelset import Head
from training.rows import Row
from training.targets import target_arrays

BINS = 10

Bools = npt.NDArray[np.bool_]


def diagnose(
    labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats], chosen: Sequence[Chosen]
) -> dict[str, Any]:
    """Per head: a line for each class, what it is mixed up with (one-of heads), and confidence against accuracy.

    ``given`` are calibrated probabilities of shape (rows, classes) per head, ``chosen`` the decisions on the rows.
    """
    goals = target_arrays(rows, labels)
    found = {}
    for h, head in enumerate(labels.heads):
        known = [i for i, goal in enumerate(goals[head.name]) if not np.isnan(goal[0])]
        answer = np.zeros((len(known), len(head.names)), dtype=bool)
        for i, place in enumerate(known):
            answer[i, list(chosen[place][h])] = True
        found[head.name] = _head(head, goals[head.name][known], given[head.name][known], answer)
    return found


def _head(head: Head, goal: Floats, p: Floats, answer: Bools) -> dict[str, Any]:
    truth: Bools = np.eye(len(head.names), dtype=bool)[goal.argmax(1)] if head.kind == "one-of" else goal >= 0.5
    right: Bools
    hits = (truth & answer).sum(0)
    classes = {
        name: {
            "n": int(truth[:, c].sum()),
            "precision": float(hits[c] / max(answer[:, c].sum(), 1)),
            "recall": float(hits[c] / max(truth[:, c].sum(), 1)),
            "f1": float(2 * hits[c] / max(truth[:, c].sum() + answer[:, c].sum(), 1)),
        }
        for c, name in enumerate(head.names)
    }
    found: dict[str, Any] = {"kind": head.kind, "classes": classes}
    if head.kind == "one-of":
        found["confusion"] = (truth.astype(int).T @ answer.astype(int)).tolist()
        confidence, right = (p * answer).sum(1), np.asarray((truth & answer).any(1))
    else:
        confidence, right = np.where(answer, p, 1 - p).ravel(), np.asarray(truth == answer).ravel()
    found["reliability"] = reliability(confidence, right)
    return found


def reliability(confidence: Floats, right: Bools) -> list[dict[str, float]]:
    """Per bin of equal width that is not empty: how many answers, their mean confidence, and how many are right.

    The points of a reliability diagram (DeGroot and Fienberg, The Statistician 32, 1983).
    """
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {"n": int(here.sum()), "confidence": float(confidence[here].mean()), "accuracy": float(right[here].mean())}
        for b in range(BINS)
        if (here := place == b).any()
    ]


def mixed_up(names: Sequence[str], confusion: Sequence[Sequence[int]], most: int = 15) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: the true class, the answered one, and how often."""
    pairs = [(names[t], names[a], n) for t, row in enumerate(confusion) for a, n in enumerate(row) if n and t != a]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]
