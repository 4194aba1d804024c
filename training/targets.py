"""Targets as arrays, and the loss between them and the student's logits."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tinyclf import LabelSet
from training.rows import Row

Array = npt.NDArray[np.float32]


def target_arrays(rows: Sequence[Row], labels: LabelSet) -> dict[str, Array]:
    """Per head an array of shape (rows, classes) of target probabilities; NaN where a row has no target."""
    arrays = {}
    for head in labels.heads:
        array = np.full((len(rows), len(head.names)), np.nan, dtype=np.float32)
        for i, row in enumerate(rows):
            if (target := row.targets.get(head.name)) is not None:
                array[i] = [target.get(name, 0.0) for name in head.names]
        arrays[head.name] = array
    return arrays


def loss(
    logits: Mapping[str, Tensor], targets: Mapping[str, Tensor], labels: LabelSet, smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy (one-of) or binary cross-entropy (any-of) over rows with a target, summed over heads.

    ``smoothing`` mixes the targets with the uniform distribution (Szegedy et al., arXiv:1512.00567).
    """
    total = torch.zeros(())
    for head in labels.heads:
        goal = targets[head.name]
        known = ~goal[:, 0].isnan()
        if not known.any():
            continue
        goal, scores = goal[known], logits[head.name][known]
        if head.kind == "one-of":
            smooth = goal * (1 - smoothing) + smoothing / goal.shape[1]
            total = total + functional.cross_entropy(scores, smooth)
        else:
            smooth = goal * (1 - smoothing) + smoothing / 2
            total = total + functional.binary_cross_entropy_with_logits(scores, smooth)
    return total
