"""Which labels deserve a second look: those that a model that never saw them finds hard to believe."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.model_selection import GroupKFold

from tinyclf import DataError, LabelSet
from tinyclf.calibration import Floats
from tinyclf.labelset import Head
from training.baseline import TfidfLogistic
from training.rows import Row
from training.targets import gold_arrays

FOLDS = 4


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label to look at again: what was given, what the model would say, and how far it believes the given one."""

    row: Row
    head: str
    given: str
    suggested: str
    belief: float

    def to_record(self) -> dict[str, Any]:
        """As a line for people, the turn in it."""
        turn = self.row.turn
        texts = {"previous": turn.previous, "utterance": turn.utterance, "reply": turn.reply}
        said = {name: text for name, text in texts.items() if text}
        found = {"head": self.head, "given": self.given, "suggested": self.suggested, "belief": round(self.belief, 4)}
        return {"place": self.row.place, "id": self.row.id, **said, **found}


def doubts(
    labels: LabelSet, rows: Sequence[Row], each_fold: Callable[[], None] = lambda: None, folds: int = FOLDS
) -> list[Doubt]:
    """The doubtful gold labels of one-of heads, least believed first.

    Confident learning (Northcutt et al., arXiv:1911.00068, by cleanlab) on probabilities of a linear model that saw
    neither the row nor its family. A doubt is no mistake: hard and rare turns are doubted too.
    """
    families = len({row.family for row in rows})
    if families < folds:
        raise DataError(f"gold rows of {families} families; triage needs rows of at least {folds}")
    given = out_of_fold(labels, rows, folds, each_fold)
    goals = gold_arrays(rows, labels)
    found = [
        doubt
        for head in labels.heads
        if head.kind == "one-of"
        for doubt in _of_head(head, rows, goals[head.name], given[head.name])
    ]
    return sorted(found, key=lambda doubt: doubt.belief)


def out_of_fold(
    labels: LabelSet, rows: Sequence[Row], folds: int = FOLDS, each_fold: Callable[[], None] = lambda: None
) -> dict[str, Floats]:
    """Probabilities of shape (rows, classes) per head for every row, from models that never saw its family."""
    given: dict[str, Floats] = {head.name: np.zeros((len(rows), len(head.names))) for head in labels.heads}
    families = [row.family for row in rows]
    for learn, judge in GroupKFold(folds).split(rows, groups=families):
        model = TfidfLogistic()
        model.fit(labels, [rows[i] for i in learn])
        for name, p in model.probabilities([rows[i].turn for i in judge]).items():
            given[name][judge] = p
        each_fold()
    return given


def lines(found: Sequence[Doubt]) -> str:
    """Doubts as JSON Lines; lone surrogates, which have no UTF-8, are escaped."""
    return "".join(json.dumps(doubt.to_record()) + "\n" for doubt in found)


def _of_head(head: Head, rows: Sequence[Row], goal: Floats, given: Floats) -> list[Doubt]:
    known = np.flatnonzero(~np.isnan(goal[:, 0]))
    truth, p = goal[known].argmax(1), given[known]
    if len(set(truth.tolist())) < 2:
        return []
    issues = find_label_issues(truth, p, return_indices_ranked_by="self_confidence", n_jobs=1)
    belief = get_label_quality_scores(truth, p, method="self_confidence")
    return [
        Doubt(rows[known[i]], head.name, head.names[truth[i]], head.names[int(p[i].argmax())], float(belief[i]))
        for i in issues
    ]
