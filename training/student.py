"""The student: ids in, one row of logits per head out. Two architectures behind one interface."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS
from training.wide import WidePath

CLOSED = -1e4
"""What a filter answers in a window centred on PAD: less than any real window, so PAD never wins the pooling."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a student. ``heads`` maps head names to numbers of classes; ``buckets`` is the wide path's size.

    ``width`` is how many tokens a filter sees: 1, or 2 for a token and the next one.
    """

    heads: Mapping[str, int]
    vocabulary: int
    architecture: Literal["mlp", "cnn"]
    dim: int
    width: int
    filters: int
    buckets: int
    dropout: float
    wide_dropout: float

    def to_dict(self) -> dict[str, Any]:
        """The shape as JSON."""
        return asdict(self)


class Student(nn.Module):
    """Features of the ids, one linear head per question; beside them a wide linear path.

    Ids come in one block per segment (see ``tinyclf.encode``): the embedding is shared, and each segment reads it
    through weights of its own, so that the same word can mean another thing when the robot said it.
    """

    def __init__(self, shape: Shape, pieces: Sequence[str] = ()) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.6)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.filters, sum(shape.heads.values()))
        self.wide = WidePath(shape.buckets, self.head.out_features, shape.wide_dropout, pieces)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, classes) per head, for ids of shape (batch, tokens)."""
        logits = self.head(self.dropout(self.features(ids))) + self.wide(ids)
        heads = self.shape.heads
        return dict(zip(heads, torch.split(logits, list(heads.values()), dim=1), strict=True))

    def features(self, ids: Tensor) -> Tensor:
        """Features of shape (batch, features)."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """The embedding of every piece, shape (vocabulary, dim)."""
        return self.embedding.weight

    def segments(self, ids: Tensor) -> list[Tensor]:
        """For each segment the embeddings of its tokens, zero elsewhere; shape (batch, tokens, dim)."""
        embedded = self.dropout(nn.functional.embedding(ids % self.shape.vocabulary, self.table(), padding_idx=PAD))
        segment = ids // self.shape.vocabulary
        return [embedded * (segment == s).unsqueeze(-1) for s in range(len(SEGMENTS))]


class MlpStudent(Student):
    """The mean of the token embeddings, projected per segment (as in Iyyer et al., 2015, deep averaging network)."""

    def __init__(self, shape: Shape, pieces: Sequence[str] = ()) -> None:
        super().__init__(shape, pieces)
        self.projection = nn.Parameter(_per_segment(shape.filters, shape.dim))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        parts = [part.sum(1) @ weight.T for part, weight in zip(self.segments(ids), self.projection, strict=True)]
        count = (ids % self.shape.vocabulary != PAD).sum(1, keepdim=True).clamp(min=1)
        return torch.relu(torch.stack(parts).sum(0) / count)


class CnnStudent(Student):
    """Convolution over tokens and maximum over time (Kim, arXiv:1408.5882), with filters per segment.

    A window stands on its first token.
    """

    def __init__(self, shape: Shape, pieces: Sequence[str] = ()) -> None:
        super().__init__(shape, pieces)
        self.taps = nn.Parameter(_per_segment(shape.filters, shape.dim, shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.filters))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        parts = [
            nn.functional.conv1d(part.transpose(1, 2), weight)
            for part, weight in zip(self.segments(ids), self.taps, strict=True)
        ]
        windows = torch.stack(parts).sum(0) + self.bias.unsqueeze(-1)
        on_pad = (ids[:, : windows.shape[2]] % self.shape.vocabulary == PAD).unsqueeze(1)
        return torch.relu(windows.masked_fill(on_pad, CLOSED).amax(2))


ARCHITECTURES: Mapping[str, type[MlpStudent] | type[CnnStudent]] = {"mlp": MlpStudent, "cnn": CnnStudent}


def build_student(shape: Shape, pieces: Sequence[str] = ()) -> Student:
    """A fresh student of that shape; with ``pieces`` its wide path learns by letters too (see ``WidePath``)."""
    return ARCHITECTURES[shape.architecture](shape, pieces)


def _per_segment(*size: int) -> Tensor:
    """Weights that start alike in every segment and part as they learn."""
    one = torch.empty(*size)
    nn.init.kaiming_uniform_(one, a=5**0.5)
    return one.unsqueeze(0).repeat(len(SEGMENTS), *[1] * len(size))
