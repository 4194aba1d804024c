"""Several students as one: its logits are the mean of theirs, exactly, at the cost of one wider student."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.student import Shape, Student, build_student


def merged_shape(shape: Shape, members: int) -> Shape:
    """The shape of so many students of one shape, merged."""
    return replace(shape, dim=members * shape.dim, filters=members * shape.filters)


def merge(students: Sequence[Student]) -> Student:
    """One student that answers the mean of the students' logits (an ensemble; Hansen and Salamon, IEEE TPAMI 12, 1990).

    They share tokenizer and shape. Their wide paths are linear, so they are averaged; the deep parts stand side by
    side, each reading its own part of the embedding.
    """
    first = students[0]
    one = build_student(merged_shape(first.shape, len(students)))
    states = [student.state_dict() for student in students]
    merged = {name: _joined(name, [state[name] for state in states]) for name in one.state_dict()}
    one.load_state_dict(merged)
    return one.eval()


def _joined(name: str, parts: Sequence[Tensor]) -> Tensor:
    if name in ("wide.table.weight", "head.bias"):
        return torch.stack(list(parts)).mean(0)
    if name == "head.weight":
        return torch.cat(list(parts), dim=1) / len(parts)
    if name == "embedding.weight":
        return torch.cat(list(parts), dim=1)
    if name in ("taps", "projection"):
        return _block_filters(parts)
    return torch.cat(list(parts))


def _block_filters(parts: Sequence[Tensor]) -> Tensor:
    """Filters of shape (segments, filters, dim, ...), each student's on its own part of the embedding."""
    filters, dim = parts[0].shape[1:3]
    joined = parts[0].new_zeros(len(parts[0]), len(parts) * filters, len(parts) * dim, *parts[0].shape[3:])
    for i, part in enumerate(parts):
        joined[:, i * filters : (i + 1) * filters, i * dim : (i + 1) * dim] = part
    return joined
