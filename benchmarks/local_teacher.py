"""A strong local teacher for the distillation study: three students and TF-IDF with logistic regression, averaged.

It stands in for an LLM. Rows of the pool are labelled out of fold: by members that never saw their family.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from training.baseline import TfidfLogistic
from training.fit import fit
from training.rows import Row
from training.schedule import Schedule
from training.settings import Settings
from training.split import Splits

FOLDS = 4
NETWORKS = 3
Given = dict[str, Floats]


def out_of_fold(
    workers: Executor, labels: LabelSet, pool: Sequence[Row], dev: Sequence[Row], calibration: Sequence[Row]
) -> Given:
    """The teacher's probabilities of shape (rows, classes) for each row of the pool."""
    families = sorted({row.family for row in pool})
    fold_of = {family: i % FOLDS for i, family in enumerate(families)}
    here = [[i for i, row in enumerate(pool) if fold_of[row.family] == fold] for fold in range(FOLDS)]
    asked = []
    for fold in range(FOLDS):
        seen = [row for row in pool if fold_of[row.family] != fold]
        asked.append(workers.submit(taught, labels, seen, dev, calibration, [pool[i].turn for i in here[fold]]))
    found: Given = {head.name: np.zeros((len(pool), len(head.names))) for head in labels.heads}
    for places, answer in zip(here, asked, strict=True):
        for name, rows in answer.result().items():
            found[name][places] = rows
    return found


def taught(
    labels: LabelSet, seen: Sequence[Row], dev: Sequence[Row], calibration: Sequence[Row], turns: Sequence[Turn]
) -> Given:
    """What a teacher that learnt ``seen`` says of ``turns``: the mean of its members."""
    torch.set_num_threads(1)
    members = []
    for seed in range(NETWORKS):
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(schedule=Schedule(seed=seed))
            splits = Splits([*seen], [*dev], [*calibration], [])
            members.append(fit(labels, splits, settings, Path(folder)).predict(turns))
    linear = TfidfLogistic()
    linear.fit(labels, [*seen, *dev], 0)
    members.append(linear.probabilities(turns))
    return {head.name: np.mean([member[head.name] for member in members], axis=0) for head in labels.heads}


def relabelled(labels: LabelSet, rows: Sequence[Row], given: Given) -> list[Row]:
    """The rows with the teacher's labels in place of gold."""
    return [
        replace(
            row,
            gold={},
            teacher={
                head.name: dict(zip(head.names, map(float, given[head.name][i]), strict=True)) for head in labels.heads
            },
            weight=(1 + _margin([given[head.name][i] for head in labels.heads])) / 2,
            source=("local ensemble", ""),
        )
        for i, row in enumerate(rows)
    ]


def _margin(heads: Sequence[Floats]) -> float:
    return min(float(np.diff(np.sort(p)[-2:])[0]) for p in heads)
