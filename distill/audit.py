"""How good a teacher is on gold rows, and which prior and temperatures make its probabilities honest."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from distill.calibration import Calibration
from distill.debias import LEAST, Debias, Prior, mean_answers
from distill.labelled import UNKNOWN, Ints, Labelled
from tinyclf.calibration import Floats, calibration_error, log_loss, temperature
from tinyclf.errors import DataError
from tinyclf.llm.question import Question
from tinyclf.records import turn_of
from tinyclf.slices import slices_of

FOLDS = 5
LEAST_GOLD = 20

Figures = dict[str, Any]
Given = dict[str, Floats]
"""Question key to probabilities of shape (rows, options)."""


def audit(labelled: Labelled) -> tuple[Figures, Calibration, Given]:
    """Figures of every prior, the best one with its temperatures, and the answers that it gives.

    A temperature is judged on rows that it was not fitted on: families fall into five folds, and each fold is judged
    by the temperature of the other four. The prior with the least negative log-likelihood so judged is the best. The
    temperatures that are kept are fitted on all gold rows. Raises ``DataError`` when there are hardly any.
    """
    gold = {question.key: labelled.gold(question) for question in labelled.questions()}
    if (most := max(int((truth != UNKNOWN).sum()) for truth in gold.values())) < LEAST_GOLD:
        raise DataError(
            f"{labelled.folder}: {most} answered rows have gold labels; an audit needs {LEAST_GOLD}: "
            "label rows whose heads' columns hold gold"
        )
    folds = _folds(labelled)
    found: Figures = {"rows": len(labelled.rows), "priors": {}}
    priors = _priors(labelled)
    for name, means in priors.items():
        given = probabilities(labelled, Debias(means))
        found["priors"][name] = {
            question.key: _figures(question, given[question.key], gold[question.key], folds, labelled.soft)
            for question in labelled.questions()
        }
    best = min(priors, key=lambda name: sum(f.get("nll after", -f["accuracy"]) for f in found["priors"][name].values()))
    given = probabilities(labelled, Debias(priors[best]))
    temperatures = {
        question.key: _temperature(given[question.key], gold[question.key])
        for question in labelled.questions()
        if labelled.soft
    }
    found |= {"best": best, "temperatures": temperatures, "slices": _slices(labelled, given, gold)}
    report = labelled.report
    return found, Calibration(report["teacher"], report["revision"], report["prompt_sha256"], best, temperatures), given


def probabilities(labelled: Labelled, debias: Debias) -> Given:
    """The debiased answers to every question."""
    soft = [debias(raw) for raw in labelled.raws]
    return {question.key: np.array([row[question.key] for row in soft]) for question in labelled.questions()}


def _priors(labelled: Labelled) -> Mapping[Prior, Mapping[str, Floats]]:
    if not labelled.soft:
        return {"none": {}}
    found: dict[Prior, Mapping[str, Floats]] = {"none": {}, "batch": mean_answers(labelled.raws)}
    if labelled.content_free:
        found["content-free"] = labelled.content_free
    return found


def _figures(question: Question, given: Floats, truth: Ints, folds: Ints, soft: bool) -> Figures:
    known = truth != UNKNOWN
    given, truth, folds = given[known], truth[known], folds[known]
    if not len(truth):
        return {"n": 0, "accuracy": 0.0}
    names, guess = list(range(len(question.options))), given.argmax(1)
    found: Figures = {
        "n": len(truth),
        "accuracy": float((guess == truth).mean()),
        "kappa": kappa(truth, guess),
        "macro-F1": float(f1_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0)),
        "options": list(question.options),
        "confusion": confusion_matrix(truth, guess, labels=names).tolist(),
    }
    if soft:
        after = np.empty_like(given)
        for fold in range(FOLDS):
            here = folds == fold
            after[here] = _tempered(given[here], _temperature(given[~here], truth[~here]))
        for when, p in (("before", given), ("after", after)):
            goal = np.eye(len(names))[truth]
            found[f"ece {when}"] = calibration_error(p.max(1), p.argmax(1) == truth)
            found[f"nll {when}"] = log_loss(_log(p), goal, one_of=True)
            found[f"brier {when}"] = float(((p - goal) ** 2).sum(1).mean())
    return found


def _slices(labelled: Labelled, given: Mapping[str, Floats], gold: Mapping[str, Ints]) -> Figures:
    """Accuracy and kappa of every question by language, context and length."""
    found: Figures = {}
    for name, places in slices_of((turn_of(row), row["lang"] or "", "") for row in labelled.rows).items():
        for key, truth in gold.items():
            if known := [i for i in places if truth[i] != UNKNOWN]:
                right, guess = truth[known], given[key][known].argmax(1)
                figures = {"n": len(known), "accuracy": float((guess == right).mean()), "kappa": kappa(right, guess)}
                found.setdefault(name, {})[key] = figures
    return found


def kappa(truth: Ints, guess: Ints) -> float | None:
    """Cohen's kappa; ``None`` where only one answer ever occurs, for then chance explains everything."""
    if len(np.unique(np.concatenate([truth, guess]))) < 2:
        return None
    return float(cohen_kappa_score(truth, guess))


def _folds(labelled: Labelled) -> Ints:
    """Rows of one family fall into one fold."""
    names = [row["family"] or row["key"] for row in labelled.rows]
    return np.array([int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % FOLDS for name in names])


def _temperature(given: Floats, truth: Ints) -> float:
    known = truth != UNKNOWN
    return temperature(_log(given[known]), np.eye(given.shape[1])[truth[known]], one_of=True) if known.any() else 1.0


def _tempered(p: Floats, t: float) -> Floats:
    raised = np.maximum(p, LEAST) ** (1 / t)
    return np.asarray(raised / raised.sum(1, keepdims=True))


def _log(p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(p, LEAST)))
