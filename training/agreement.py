"""How far student, teacher and gold agree, on rows that the student never saw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.labelset import Head
from training.metrics import kappa
from training.probabilities import decide
from training.rows import Row
from training.targets import Array, gold_arrays, teacher_arrays

PAIRS = (("student", "teacher"), ("teacher", "gold"), ("student", "gold"))
LEAST = 1e-12
Answer = tuple[int, ...] | None
"""The chosen classes by index; ``None`` where there is no label."""


def agreement(labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats]) -> dict[str, Any]:
    """Agreement of every pair of student, teacher and gold, by head; empty when no row has a teacher's label.

    ``given`` are the student's probabilities of shape (rows, classes) per head; its answers are the most probable
    compatible ones. Gold is compared on rows with both. Accuracy is the share of equal answers, kappa corrects it for
    chance, KL is the mean divergence of the student's probabilities from the teacher's, in nats.
    """
    taught = [i for i, row in enumerate(rows) if row.teacher]
    if not taught:
        return {}
    given = {name: array[taught] for name, array in given.items()}
    rows = [rows[i] for i in taught]
    teacher, gold, chosen = teacher_arrays(rows, labels), gold_arrays(rows, labels), decide(labels, given)
    found: dict[str, Any] = {f"{a}_{b}": {} for a, b in PAIRS}
    for h, head in enumerate(labels.heads):
        said: dict[str, list[Answer]] = {
            "student": [tuple(answer[h]) for answer in chosen],
            "teacher": _answers(head, teacher[head.name]),
            "gold": _answers(head, gold[head.name]),
        }
        known = np.array([answer is not None for answer in said["teacher"]])
        both = known & np.array([answer is not None for answer in said["gold"]])
        for a, b in PAIRS:
            places = np.flatnonzero(both if "gold" in (a, b) else known)
            found[f"{a}_{b}"][head.name] = _figures([said[a][i] for i in places], [said[b][i] for i in places])
        found["student_teacher"][head.name]["kl"] = _divergence(
            head, teacher[head.name][known], given[head.name][known]
        )
    return {"rows": len(rows), **found}


def agreement_rows(found: Mapping[str, Any]) -> list[list[object]]:
    """The table's rows: pair, head, n, accuracy, kappa, KL."""
    return [
        [f"{a} / {b}", head, figures["n"], *(_cell(figures.get(key)) for key in ("accuracy", "kappa", "kl"))]
        for a, b in PAIRS
        for head, figures in found[f"{a}_{b}"].items()
    ]


AGREEMENT_HEADER = ("pair", "head", "n", "accuracy", "kappa", "KL")


def _answers(head: Head, array: Array) -> list[Answer]:
    """The most likely classes of each row."""
    if head.kind == "one-of":
        return [None if np.isnan(row[0]) else (int(row.argmax()),) for row in array]
    return [None if np.isnan(row[0]) else tuple(np.flatnonzero(row >= 0.5).tolist()) for row in array]


def _figures(one: Sequence[object], other: Sequence[object]) -> dict[str, Any]:
    same = sum(a == b for a, b in zip(one, other, strict=True))
    return {"n": len(one), "accuracy": same / len(one) if one else None, "kappa": kappa(one, other)}


def _divergence(head: Head, teacher: Floats, student: Floats) -> float | None:
    """The mean of KL(teacher ‖ student); for any-of heads summed over the yes and no of each class."""
    if not len(teacher):
        return None
    p, q = teacher.astype(np.float64), student
    total = _relative(p, q) if head.kind == "one-of" else _relative(p, q) + _relative(1 - p, 1 - q)
    return float(total.sum(1).mean())


def _relative(p: Floats, q: Floats) -> Floats:
    part: Floats = p * (np.log(np.maximum(p, LEAST)) - np.log(np.maximum(q, LEAST)))
    return part


def _cell(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"
