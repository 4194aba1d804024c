"""Fold everything that is linear and per token into one table, so that the graph only looks up, adds and pools."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS
from training.student import CLOSED, CnnStudent, MlpStudent, Student

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Folded:
    """A student as arrays: ``table`` has one row per id of every segment block, then what follows the pooling.

    For a cnn the columns are those of each tap in turn, the filter's bias added to the first tap (a convolution over
    embeddings is linear before its non-linearity, so each tap's product with each embedding can be computed once).
    Where a filter sees two tokens, PAD's first tap is so low that a window on PAD never wins; where it sees one, PAD's
    row is zero and stands for the ReLU, since every sequence holds a PAD. For an mlp they are the projected embedding.

    The last column of a tap is a feature that comes out of the pooling as 1 and carries the bias of ``head``, whose
    shape is (features + 1, all classes). For an mlp it counts tokens until then.

    ``wide`` has a row per bucket; its columns are the classes of all heads and, last, a 1 that counts. Bucket 0, which
    counts for nothing, is zero.
    """

    architecture: str
    width: int
    table: Array
    head: Array
    wide: Array


def fold(student: Student, temperatures: Mapping[str, float]) -> Folded:
    """Fold embedding, segment weights and bias into the table, and the temperatures into all logits. Exact."""
    if isinstance(student, CnnStudent):
        table = _cnn_table(student)
    elif isinstance(student, MlpStudent):
        table = _mlp_table(student)
    else:
        raise TypeError(f"no folding for {type(student).__name__}")
    sizes = student.shape.heads
    cooling = np.concatenate([np.full(n, 1 / temperatures[name], np.float32) for name, n in sizes.items()])
    head = np.concatenate([_array(student.head.weight).T, _array(student.head.bias)[None]]) * cooling
    shape = student.shape
    return Folded(shape.architecture, shape.width, table, head.astype(np.float32), _wide_table(student, cooling))


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
    width = student.shape.width
    blocks = []
    for weight in _array(student.taps).astype(np.float64):
        taps = [embedding @ weight[:, :, tap].T for tap in range(width)]
        taps[0] += _array(student.bias)
        for tap in taps:
            tap[PAD] = 0
        if width > 1:
            taps[0][PAD] = CLOSED
        blocks.append(np.concatenate([_with(tap, constant=number == 0) for number, tap in enumerate(taps)], axis=1))
    return np.concatenate(blocks).astype(np.float32)


def _mlp_table(student: MlpStudent) -> Array:
    embedding = _array(student.table()).astype(np.float64)
    blocks = []
    for weight in _array(student.projection).astype(np.float64):
        block = _with(embedding @ weight.T, constant=1)
        block[PAD] = 0
        blocks.append(block)
    return np.concatenate(blocks).astype(np.float32)


def _wide_table(student: Student, cooling: Array) -> Array:
    table = _with(_array(student.wide.table.weight) * cooling, constant=1)
    table[PAD] = 0
    return table.astype(np.float32)


def _with(columns: npt.NDArray[Any], constant: float) -> npt.NDArray[Any]:
    """The columns and one more that is the same in every row."""
    return np.pad(columns, ((0, 0), (0, 1)), constant_values=constant)


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().numpy(), dtype=np.float32)
