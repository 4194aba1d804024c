"""Fold everything that is linear and per token into one table, so that the graph only looks up, adds and pools."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS
from training.student import CLOSED, TAPS, CnnStudent, MlpStudent, Student

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer: ``y = x @ weight + bias``, weight of shape (in, out)."""

    weight: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class Folded:
    """A student as arrays: ``table`` has one row per id of every segment block, then the layers after pooling.

    For a cnn the columns are those of the left, centre and right tap in turn, the filter's bias added to the centre
    (a convolution over embeddings is linear before its non-linearity, so each tap's product with each embedding can
    be computed once). For an mlp they are the projected embedding and, last, a 1 that counts tokens.
    """

    architecture: str
    table: Array
    hidden: Dense
    heads: dict[str, Dense]


def fold(student: Student, temperatures: dict[str, float]) -> Folded:
    """Fold embedding, segment weights and bias into the table, and the temperatures into the heads. Exact."""
    if isinstance(student, CnnStudent):
        table = _cnn_table(student)
    elif isinstance(student, MlpStudent):
        table = _mlp_table(student)
    else:
        raise TypeError(f"no folding for {type(student).__name__}")
    heads = {
        name: Dense(_array(head.weight).T / temperatures[name], _array(head.bias) / temperatures[name])
        for name, head in student.heads.items()
    }
    return Folded(
        student.shape.architecture, table, Dense(_array(student.hidden.weight).T, _array(student.hidden.bias)), heads
    )


def block_embedding(student: Student) -> Array:
    """The embeddings laid out as one block per segment, and a last column that is 1 for PAD: for unfolded graphs."""
    embedding = _array(student.table())
    vocabulary, dim = embedding.shape
    blocks = np.zeros((len(SEGMENTS) * vocabulary, len(SEGMENTS) * dim + 1), dtype=np.float32)
    for s in range(len(SEGMENTS)):
        blocks[s * vocabulary : (s + 1) * vocabulary, s * dim : (s + 1) * dim] = embedding
        blocks[s * vocabulary + PAD] = 0
        blocks[s * vocabulary + PAD, -1] = 1
    return blocks


def _cnn_table(student: CnnStudent) -> Array:
    embedding = _array(student.table()).astype(np.float64)
    filters, centre = student.shape.filters, TAPS // 2
    blocks = []
    for weight in _array(student.taps).astype(np.float64):
        block = np.concatenate([embedding @ weight[:, :, tap].T for tap in range(TAPS)], axis=1)
        block[:, centre * filters : (centre + 1) * filters] += _array(student.bias)
        block[PAD] = 0
        block[PAD, centre * filters : (centre + 1) * filters] = CLOSED
        blocks.append(block)
    return np.concatenate(blocks).astype(np.float32)


def _mlp_table(student: MlpStudent) -> Array:
    embedding = _array(student.table()).astype(np.float64)
    blocks = []
    for weight in _array(student.projection).astype(np.float64):
        block = np.concatenate([embedding @ weight.T, np.ones((len(embedding), 1))], axis=1)
        block[PAD] = 0
        blocks.append(block)
    return np.concatenate(blocks).astype(np.float32)


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().numpy(), dtype=np.float32)
