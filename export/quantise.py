"""Smaller tables: float16, or int8 with one scale per filter that moves into the next layer."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from export.fold import Dense, Folded
from training.student import CLOSED, TAPS

Precision = Literal["float32", "float16", "int8"]
Table = npt.NDArray[np.float32] | npt.NDArray[np.float16] | npt.NDArray[np.int8]

# The taps are added before pooling. With values this small, a window centred on PAD (-128) stays below zero whatever
# its neighbours add, so PAD still never wins the pooling.
LARGEST = 127 // (TAPS - 1)
CLOSED_INT8 = -128


def quantise(folded: Folded, precision: Precision) -> tuple[Table, Dense, Table]:
    """The table in the wanted precision, the hidden layer that undoes its scales, and the wide table.

    Scales are positive and shared by a filter's taps, so they pass through adding, ReLU, maximum and mean unchanged.
    The wide table goes to the logits with no layer behind it that could undo a scale, so its least is float16.
    """
    if precision == "float32":
        return folded.table, folded.hidden, folded.wide
    wide = folded.wide.astype(np.float16)
    if precision == "float16":
        return folded.table.astype(np.float16), folded.hidden, wide
    return *(_int8_mlp(folded) if folded.architecture == "mlp" else _int8_cnn(folded)), wide


def _int8_cnn(folded: Folded) -> tuple[Table, Dense]:
    filters = folded.table.shape[1] // TAPS
    closed = folded.table == CLOSED
    size = np.where(closed, 0, np.abs(folded.table)).max(0).reshape(TAPS, filters).max(0)
    scale = np.maximum(size, 1e-9) / LARGEST
    table = np.round(folded.table / np.tile(scale, TAPS)).clip(-LARGEST, LARGEST)
    table[closed] = CLOSED_INT8
    return table.astype(np.int8), replace(folded.hidden, weight=_scaled(folded.hidden, scale))


def _int8_mlp(folded: Folded) -> tuple[Table, Dense]:
    scale = np.maximum(np.abs(folded.table[:, :-1]).max(0), 1e-9) / 127
    table = np.concatenate([np.round(folded.table[:, :-1] / scale), folded.table[:, -1:]], axis=1)
    return table.astype(np.int8), replace(folded.hidden, weight=_scaled(folded.hidden, scale))


def _scaled(hidden: Dense, scale: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    return (hidden.weight * scale[:, None]).astype(np.float32)
