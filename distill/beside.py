"""Two teachers, or two prompts of one, row by row."""

from collections.abc import Mapping

import numpy as np

from distill.audit import Figures, kappa
from distill.labelled import UNKNOWN, Labelled
from distill.table import KEY
from tinyclf.calibration import Floats
from tinyclf.errors import DataError


def beside(one: Labelled, other: Labelled, given: Mapping[str, Floats], others: Mapping[str, Floats]) -> Figures:
    """Agreement and kappa per question on the turns that both answered, and the accuracy of each where there is gold.

    Raises ``DataError`` when the label sets differ or no turn is common to both.
    """
    if [(q.key, q.options) for q in one.questions()] != [(q.key, q.options) for q in other.questions()]:
        raise DataError(f"{other.folder}: labelled with other heads or classes than {one.folder}")
    place = {row[KEY]: i for i, row in enumerate(other.rows)}
    pairs = [(i, place[row[KEY]]) for i, row in enumerate(one.rows) if row[KEY] in place]
    if not pairs:
        raise DataError(f"{other.folder}: no turn in common with {one.folder}")
    here, there = (list(side) for side in zip(*pairs, strict=True))
    found: Figures = {}
    for question in one.questions():
        first, second = given[question.key][here].argmax(1), others[question.key][there].argmax(1)
        truth = one.gold(question)[here]
        known = truth != UNKNOWN
        found[question.key] = {
            "agreement": float((first == second).mean()),
            "kappa": kappa(first, second),
            "accuracy": float(np.mean(first[known] == truth[known])) if known.any() else None,
            "other's accuracy": float(np.mean(second[known] == truth[known])) if known.any() else None,
        }
    report = other.report
    name = f"{report['teacher']}, style {report['style']}, prompt {report['prompt_sha256'][:8]}"
    return {"name": name, "rows": len(pairs), "questions": found}
