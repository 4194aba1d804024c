"""Labels as arrays: what rows are judged by, gold alone, and a teacher's alone."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyclf import LabelSet
from tinyclf.labelset import as_tuple
from tinyclf.records import Targets, most_likely
from training.rows import Row

Array = npt.NDArray[np.float32]


def target_arrays(rows: Sequence[Row], labels: LabelSet) -> dict[str, Array]:
    """What rows are judged by: per head probabilities of shape (rows, classes); NaN where a row has no target."""
    return _arrays([row.targets for row in rows], labels)


def gold_arrays(rows: Sequence[Row], labels: LabelSet) -> dict[str, Array]:
    """The gold labels alone, shaped as ``target_arrays``."""
    return _arrays([row.gold for row in rows], labels)


def teacher_arrays(rows: Sequence[Row], labels: LabelSet, *, hard: bool = False) -> dict[str, Array]:
    """The teacher's labels alone, shaped as ``target_arrays``; ``hard``: its most likely classes as if it were sure."""
    return _arrays([_hardened(row.teacher, labels) if hard else row.teacher for row in rows], labels)


def _arrays(given: Sequence[Targets], labels: LabelSet) -> dict[str, Array]:
    arrays = {}
    for head in labels.heads:
        array = np.full((len(given), len(head.names)), np.nan, dtype=np.float32)
        for i, targets in enumerate(given):
            if (target := targets.get(head.name)) is not None:
                array[i] = [target.get(name, 0.0) for name in head.names]
        arrays[head.name] = array
    return arrays


def _hardened(teacher: Targets, labels: LabelSet) -> Targets:
    heads = [head for head in labels.heads if head.name in teacher]
    return {head.name: dict.fromkeys(as_tuple(most_likely(head, teacher[head.name])), 1.0) for head in heads}
