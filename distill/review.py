"""Rows for people to look at: where teacher and gold, or two teachers, disagree, and where the teacher hardly knows."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from distill.labelled import UNKNOWN, Labelled
from distill.table import KEY
from tinyclf.calibration import Floats
from tinyclf.turn import SEGMENTS

LEAST_SURE = 50

Review = list[dict[str, Any]]


def against_gold(labelled: Labelled, given: Mapping[str, Floats]) -> Review:
    """Rows that the teacher answers otherwise than gold, the surest first, then the rows it is least sure of.

    The first are wrong gold, or a teacher that is sure and wrong.
    """
    found: Review = []
    for question in labelled.questions():
        p, truth = given[question.key], labelled.gold(question)
        margin = np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0]
        wrong = [int(i) for i in np.argsort(-p.max(1), kind="stable") if truth[i] not in (UNKNOWN, p[i].argmax())]
        unsure = [int(i) for i in np.argsort(margin, kind="stable")[:LEAST_SURE]] if labelled.soft else []
        for why, places in (("differs from gold", wrong), ("least sure", unsure)):
            for i in places:
                gold = "" if truth[i] == UNKNOWN else question.options[truth[i]]
                said = question.options[int(p[i].argmax())]
                found.append(_row(labelled, i, question.key, why, gold=gold, teacher=said, p=f"{p[i].max():.3f}"))
    return found


def against_teacher(
    one: Labelled, other: Labelled, given: Mapping[str, Floats], others: Mapping[str, Floats]
) -> Review:
    """Rows that two teachers, or two prompts, answer differently."""
    place = {row[KEY]: i for i, row in enumerate(other.rows)}
    found: Review = []
    for question in one.questions():
        truth = one.gold(question)
        for i, row in enumerate(one.rows):
            if (j := place.get(row[KEY])) is None:
                continue
            first, second = int(given[question.key][i].argmax()), int(others[question.key][j].argmax())
            if first != second:
                gold = "" if truth[i] == UNKNOWN else question.options[truth[i]]
                answers = {"teacher": question.options[first], "other": question.options[second]}
                found.append(_row(one, i, question.key, "teachers differ", gold=gold, **answers))
    return found


def as_csv(rows: Review) -> str:
    """The rows as CSV, with a column for the reader's verdict."""
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["id"]
    writer = csv.DictWriter(out, [*names, "verdict"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(labelled: Labelled, i: int, question: str, why: str, **answers: str) -> dict[str, Any]:
    row = labelled.rows[i]
    return {"why": why, "question": question, **answers, "id": row["id"], **{name: row[name] for name in SEGMENTS}}
