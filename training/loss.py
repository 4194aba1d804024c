"""The loss between the student's logits and what it shall learn: gold labels, a teacher's soft labels, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from tinyclf import LabelSet
from tinyclf.labelset import Head
from training.rows import Row
from training.targets import teacher_arrays

TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher adds to the loss.

    ``teacher``: per head soft labels of shape (rows, classes), NaN where the teacher gave none; ``weights``: how far
    they count where there is no gold, shape (rows,); ``gold_share``: the part of gold where a row has both.
    """

    teacher: Mapping[str, Tensor]
    weights: Tensor
    temperature: float = 1.0
    gold_share: float = 0.5

    def at(self, rows: Sequence[int]) -> "Taught":
        """The same for some of the rows."""
        places = list(rows)
        teacher = {name: array[places] for name, array in self.teacher.items()}
        return replace(self, teacher=teacher, weights=self.weights[places])


def taught_by(
    rows: Sequence[Row], labels: LabelSet, temperature: float, gold_share: float, *, hard: bool = False
) -> Taught | None:
    """The teacher's part of the loss; ``None`` when no row has a teacher's label.

    Hard labels have nothing to temper, so they are learnt at temperature 1.
    """
    if not any(row.teacher for row in rows):
        return None
    teacher = {name: torch.from_numpy(array) for name, array in teacher_arrays(rows, labels, hard=hard).items()}
    weights = torch.tensor([row.weight for row in rows], dtype=torch.float32)
    return Taught(teacher, weights, 1.0 if hard else temperature, gold_share)


def loss(
    logits: Mapping[str, Tensor],
    gold: Mapping[str, Tensor],
    labels: LabelSet,
    smoothing: float = 0.0,
    taught: Taught | None = None,
) -> Tensor:
    """The mean loss of the rows that have a label, summed over heads.

    ``gold`` has shape (rows, classes) per head, NaN where a row has none. Its loss is cross-entropy (one-of) or binary
    cross-entropy (any-of), with ``smoothing`` towards the uniform distribution (Szegedy et al., arXiv:1512.00567).
    With a teacher the mean is weighted, and ``distillation`` takes the place of what gold leaves open.
    """
    total = torch.zeros(())
    for head in labels.heads:
        goal, scores = gold[head.name], logits[head.name]
        if taught is not None and _given(taught.teacher[head.name]).any():
            total = total + _both(head, scores, goal, smoothing, taught)
        elif (known := _given(goal)).any():
            total = total + _cross_entropy(head, scores[known], goal[known], smoothing, "mean")
    return total


def distillation(head: Head, scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student), both at temperature T, for each row (Hinton et al., arXiv:1503.02531).

    For any-of heads it is the mean over classes of the divergence between yes and no. ``scores`` are logits,
    ``teacher`` probabilities, both of shape (rows, classes); the result has shape (rows,).
    """
    goal, scores = tempered(head, teacher, temperature), scores / temperature
    if head.kind == "one-of":
        return temperature**2 * (torch.xlogy(goal, goal) - goal * functional.log_softmax(scores, 1)).sum(1)
    yes = torch.xlogy(goal, goal) - goal * functional.logsigmoid(scores)
    no = torch.xlogy(1 - goal, 1 - goal) - (1 - goal) * functional.logsigmoid(-scores)
    return temperature**2 * (yes + no).mean(1)


def tempered(head: Head, teacher: Tensor, temperature: float) -> Tensor:
    """Probabilities as their logits over the temperature would give: p^(1/T) anew to 1, or odds^(1/T) for any-of."""
    if head.kind == "one-of":
        raised = (teacher / teacher.amax(1, keepdim=True)) ** (1 / temperature)
        return raised / raised.sum(1, keepdim=True)
    yes, no = teacher ** (1 / temperature), (1 - teacher) ** (1 / temperature)
    return yes / (yes + no)


def _both(head: Head, scores: Tensor, gold: Tensor, smoothing: float, taught: Taught) -> Tensor:
    """The weighted mean over the rows that have gold, a teacher's label, or both."""
    teacher = taught.teacher[head.name]
    has_gold, has_teacher = _given(gold), _given(teacher)
    share = torch.where(has_gold, torch.where(has_teacher, taught.gold_share, 1.0), 0.0)
    cost = torch.zeros(len(scores))
    cost[has_gold] += share[has_gold] * _cross_entropy(head, scores[has_gold], gold[has_gold], smoothing, "none")
    divergence = distillation(head, scores[has_teacher], teacher[has_teacher], taught.temperature)
    cost[has_teacher] += (1 - share[has_teacher]) * divergence
    weights = torch.where(has_gold, 1.0, taught.weights * has_teacher)
    return (weights * cost).sum() / weights.sum().clamp(min=TINY)


def _cross_entropy(head: Head, scores: Tensor, goal: Tensor, smoothing: float, reduction: str) -> Tensor:
    """Cross-entropy with smoothing; ``mean`` over rows, or ``none`` for a value per row."""
    if head.kind == "one-of":
        smooth = goal * (1 - smoothing) + smoothing / goal.shape[1]
        return functional.cross_entropy(scores, smooth, reduction=reduction)
    smooth = goal * (1 - smoothing) + smoothing / 2
    cost = functional.binary_cross_entropy_with_logits(scores, smooth, reduction=reduction)
    return cost.mean(1) if reduction == "none" else cost


def _given(goal: Tensor) -> Tensor:
    """Which rows have a label."""
    return ~goal[:, 0].isnan()
