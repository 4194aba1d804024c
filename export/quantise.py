"""Smaller tables: float16, or int8 with scales that the layers behind them undo."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from export.fold import Array, Folded
from training.student import CLOSED

Precision = Literal["float32", "float16", "int8"]
Table = npt.NDArray[np.float32] | npt.NDArray[np.float16] | npt.NDArray[np.int8]

CLOSED_INT8, MOST = -128, 127


@dataclass(frozen=True, slots=True)
class Small:
    """The tables in the wanted precision, and what undoes their scales: the head, and a factor for ``wide``."""

    table: Table
    head: Array
    wide: Table
    wide_scale: float = 1.0


def quantise(folded: Folded, precision: Precision) -> Small:
    """The tables of a folded student in that precision.

    Scales of the table are positive, one for each feature and shared by its taps, so they pass through adding, ReLU,
    maximum and mean unchanged. The wide table goes to the logits through sums alone, so it has one scale in all.
    """
    if precision == "float32":
        return Small(folded.table, folded.head, folded.wide)
    if precision == "float16":
        return Small(folded.table.astype(np.float16), folded.head, folded.wide.astype(np.float16))
    table, head = _int8_mlp(folded) if folded.architecture == "mlp" else _int8_cnn(folded)
    return Small(table, head, *_int8_counted(folded.wide, float(np.abs(folded.wide[:, :-1]).max())))


def _int8_cnn(folded: Folded) -> tuple[Table, Array]:
    """Taps are added before pooling: values that small keep a window on PAD below zero whatever its neighbour adds."""
    width = folded.width
    largest = MOST // max(width - 1, 1)
    closed = folded.table == CLOSED
    size = np.where(closed, 0, np.abs(folded.table)).max(0).reshape(width, -1).max(0)
    scale = np.maximum(size, 1e-9) / largest
    table = np.round(folded.table / np.tile(scale, width)).clip(-largest, largest)
    table[closed] = CLOSED_INT8
    return table.astype(np.int8), (folded.head * scale[:, None]).astype(np.float32)


def _int8_mlp(folded: Folded) -> tuple[Table, Array]:
    sizes = np.maximum(np.abs(folded.table[:, :-1]).max(0), 1e-9)
    table = np.concatenate([np.round(folded.table[:, :-1] / sizes * MOST), folded.table[:, -1:]], axis=1)
    scale = np.append(sizes / MOST, 1)
    return table.astype(np.int8), (folded.head * scale[:, None]).astype(np.float32)


def _int8_counted(wide: Array, size: float) -> tuple[Table, float]:
    """One scale for all columns but the last, which counts and keeps its ones."""
    scale = max(size, 1e-9) / MOST
    return np.concatenate([np.round(wide[:, :-1] / scale), wide[:, -1:]], axis=1).astype(np.int8), scale
