"""A linear model on words and letters: the yardstick of a student, and a cheap second opinion on labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_union

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from training.rows import Row
from training.targets import gold_arrays


def marked_text(turn: Turn) -> str:
    """A turn as one text: the robot's words before and after are marked as such."""
    before = [f"p_{word}" for word in turn.previous.lower().split()]
    after = [f"r_{word}" for word in turn.reply.lower().split()]
    return " ".join([*before, *turn.utterance.lower().split(), *after])


class TfidfLogistic:
    """Word 1-2-grams and character 2-5-grams, TF-IDF, logistic regression per head (scikit-learn)."""

    name = "TF-IDF + logistic regression"
    by_chance = False

    def fit(self, labels: LabelSet, rows: Sequence[Row], seed: int = 0) -> None:
        """Learn the rows that have gold. Where a head has gold of one class or none, there is nothing to learn."""
        self._labels = labels
        self._features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        )
        features = self._features.fit_transform([marked_text(row.turn) for row in rows])
        self._models: dict[str, Any] = {}
        for head in labels.heads:
            goal = gold_arrays(rows, labels)[head.name]
            known = np.flatnonzero(~np.isnan(goal[:, 0]))
            model = LogisticRegression(C=10, max_iter=1000)
            if head.kind == "one-of":
                answers = goal[known].argmax(1)
                if len(set(answers.tolist())) > 1:
                    self._models[head.name] = model.fit(features[known], answers)
            elif len(known) and len(head.names) > 1:
                self._models[head.name] = OneVsRestClassifier(model).fit(features[known], (goal[known] >= 0.5) * 1)

    def probabilities(self, turns: Sequence[Turn]) -> dict[str, Floats]:
        """Class probabilities of shape (turns, classes) per head.

        A class that never occurred gets zero; a head of which nothing was learnt has equal chances for all classes.
        """
        features = self._features.transform([marked_text(turn) for turn in turns])
        found: dict[str, Floats] = {}
        for head in self._labels.heads:
            rows = np.full((len(turns), len(head.names)), 1 / len(head.names))
            if (model := self._models.get(head.name)) is not None:
                rows[:] = 0
                rows[:, model.classes_] = model.predict_proba(features)
            found[head.name] = rows
        return found
