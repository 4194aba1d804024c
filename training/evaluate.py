"""Evaluate probabilities on labelled rows: every figure, for all rows and for each slice."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats, calibration_error
from tinyclf.decode import Chosen
from tinyclf.labelset import Guard
from tinyclf.operating import OperatingPoint
from tinyclf.slices import slices_of
from training.metrics import any_of_f1, coverage_curve, macro_f1, upper_bound
from training.probabilities import UNGATED, decide
from training.risk import guarded_rows
from training.rows import Row
from training.targets import target_arrays

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LEAST_SLICE = 20
"""Slices of fewer rows are reported with their n but never named the worst."""

Metrics = dict[str, Any]


def evaluate(
    labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats], point: OperatingPoint = UNGATED
) -> Metrics:
    """All figures, with those of every slice of at least one row and the name of the worst slice."""
    return judge(labels, rows, given, decide(labels, given, point))


def judge(labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats], chosen: Sequence[Chosen]) -> Metrics:
    """``evaluate`` for answers that were decided already, one of ``chosen`` for each row."""
    goals = target_arrays(rows, labels)
    found = _figures(labels, goals, given, chosen, np.arange(len(rows)))
    slices = {
        name: _figures(labels, goals, given, chosen, np.array(places))
        for name, places in slices_of((row.turn, row.lang, row.topic) for row in rows).items()
    }
    found["slices"] = slices
    large = {name: figures["exact"] for name, figures in slices.items() if figures["n"] >= LEAST_SLICE}
    found["worst_slice"] = min(large, key=large.__getitem__) if large else ""
    return found


def without_topics(metrics: Metrics) -> Metrics:
    """The same figures without the slices of topics, which are many where the corpus is large."""
    slices = {name: part for name, part in metrics["slices"].items() if not name.startswith("topic=")}
    return {**metrics, "slices": slices}


def _figures(
    labels: LabelSet,
    goals: Mapping[str, Floats],
    given: Mapping[str, Floats],
    chosen: Sequence[Chosen],
    places: "np.ndarray[Any, np.dtype[np.int64]]",
) -> Metrics:
    """The figures of the rows at ``places``: per head, for all heads together, and for each guard."""
    found: Metrics = {"n": len(places), "heads": {}, "guards": {}}
    here = {name: goal[places] for name, goal in goals.items()}
    exact = np.ones(len(places), dtype=bool)
    answers: dict[str, Floats] = {}
    for h, head in enumerate(labels.heads):
        goal = here[head.name]
        known = ~np.isnan(goal[:, 0])
        goal = np.nan_to_num(goal)
        answer = np.zeros_like(goal)
        for i, place in enumerate(places):
            answer[i, list(chosen[place][h])] = 1
        answers[head.name] = answer
        p = given[head.name][places]
        if head.kind == "one-of":
            truth, guess = goal.argmax(1), answer.argmax(1)
            right = truth == guess
            confidence = p[np.arange(len(p)), guess]
            f1 = macro_f1(truth[known], guess[known]) if known.any() else 1.0
        else:
            right = ((goal >= 0.5) == (answer >= 0.5)).all(1)
            confidence = np.where(answer >= 0.5, p, 1 - p).min(1)
            f1 = any_of_f1(goal[known] >= 0.5, answer[known] >= 0.5)
        exact &= right | ~known
        right, confidence = right[known], confidence[known]
        found["heads"][head.name] = {
            "accuracy": float(right.mean()) if known.any() else 1.0,
            "macro_f1": f1,
            "ece": calibration_error(confidence, right) if known.any() else 0.0,
            "coverage": coverage_curve(confidence, right, SHARES) if known.any() else {},
            "wrong_above_0.9": float(((confidence >= 0.9) & ~right).mean()) if known.any() else 0.0,
        }
    found["exact"] = float(exact.mean())
    for guard in labels.guards:
        found["guards"][guard.name] = _guard_figures(labels, guard, here, answers)
    return found


def _guard_figures(
    labels: LabelSet, guard: Guard, goals: Mapping[str, Floats], answers: Mapping[str, Floats]
) -> Metrics:
    """How often the guarded mistake happens, with its upper bound, and how well the guarded class is found."""
    head, name = guard.never
    column = labels.head(head).names.index(name)
    answered, guarded = answers[head][:, column] >= 0.5, guarded_rows(labels, guard, goals)
    known, wanted = ~np.isnan(goals[head][:, column]), np.nan_to_num(goals[head][:, column]) >= 0.5
    mistakes, hits = int((answered & guarded).sum()), int((answered & wanted).sum())
    precision, recall = hits / max(int(answered[known].sum()), 1), hits / max(int(wanted.sum()), 1)
    return {
        "turns": int(guarded.sum()),
        "mistakes": mistakes,
        "rate": mistakes / max(int(guarded.sum()), 1),
        "upper_bound": upper_bound(mistakes, int(guarded.sum())),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
    }
