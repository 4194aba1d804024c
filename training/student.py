"""The student: ids in, one row of logits per head out. Two architectures behind one interface."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS

TAPS, CENTRE = 2, 0
"""The convolution's width, and the tap that stands on the token whose window it is: a token and the next one."""
PAIR_FACTOR = 31_337
"""A pair's bucket: its left id times this prime, less its right id, modulo the buckets; (PAD, a) is not a's own."""
CLOSED = -1e4
"""What a filter answers in a window centred on PAD: less than any real window, so PAD never wins the pooling."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a student. ``heads`` maps head names to numbers of classes; ``buckets`` is the wide path's size."""

    heads: Mapping[str, int]
    vocabulary: int
    architecture: Literal["mlp", "cnn"]
    dim: int
    filters: int
    hidden: int
    buckets: int
    dropout: float

    def to_dict(self) -> dict[str, Any]:
        """The shape as JSON."""
        return asdict(self)


class Student(nn.Module):
    """Features of the ids, one hidden layer, one linear head per question; beside them a wide linear path.

    The wide path gives every token and every pair of neighbours a weight per class (wide and deep learning, Cheng et
    al., arXiv:1606.07792). A token's bucket is its id, a pair's is hashed (Weinberger et al., arXiv:0902.2206)
    and may share one; bucket 0, of PAD and of two PADs, counts for nothing. The weights start at zero, so what was
    never seen says nothing: on small data that is what a deep path alone lacks.

    Ids come in one block per segment (see ``tinyclf.encode``): the embedding is shared, and each segment reads it
    through weights of its own, so that the same word can mean another thing when the robot said it.
    """

    def __init__(self, shape: Shape, features: int) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.6)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.dropout = nn.Dropout(shape.dropout)
        self.hidden = nn.Linear(features, shape.hidden)
        self.head = nn.Linear(shape.hidden, sum(shape.heads.values()))
        self.wide = nn.Embedding(shape.buckets, self.head.out_features, sparse=True)
        nn.init.zeros_(self.wide.weight)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, classes) per head, for ids of shape (batch, tokens)."""
        features = self.dropout(self.features(ids))
        hidden = self.dropout(torch.relu(self.hidden(features)))
        logits = self.head(hidden) + self.wide_logits(ids)
        return dict(zip(self.shape.heads, logits.split(list(self.shape.heads.values()), dim=1), strict=True))

    def wide_logits(self, ids: Tensor) -> Tensor:
        """The sum of the weights of tokens and pairs over the root of their number, shape (batch, all classes)."""
        pairs = (ids[:, :-1] * PAIR_FACTOR - ids[:, 1:]) % self.shape.buckets
        buckets = torch.cat([ids, pairs], dim=1)
        counts = buckets != PAD
        total = (self.wide(buckets) * counts.unsqueeze(-1)).sum(1)
        scaled: Tensor = total / counts.sum(1, keepdim=True).clamp(min=1).sqrt()
        return scaled

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

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, shape.filters)
        self.projection = nn.Parameter(_per_segment(shape.filters, shape.dim))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        parts = [part.sum(1) @ weight.T for part, weight in zip(self.segments(ids), self.projection, strict=True)]
        count = (ids % self.shape.vocabulary != PAD).sum(1, keepdim=True).clamp(min=1)
        return torch.relu(torch.stack(parts).sum(0) / count)


class CnnStudent(Student):
    """Convolution over neighbouring tokens and maximum over time (Kim, arXiv:1408.5882), with filters per segment."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, shape.filters)
        self.taps = nn.Parameter(_per_segment(shape.filters, shape.dim, TAPS))
        self.bias = nn.Parameter(torch.zeros(shape.filters))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        parts = [
            nn.functional.conv1d(part.transpose(1, 2), weight)
            for part, weight in zip(self.segments(ids), self.taps, strict=True)
        ]
        windows = torch.stack(parts).sum(0) + self.bias.unsqueeze(-1)
        centre = ids[:, CENTRE : CENTRE + windows.shape[2]]
        centre_is_pad = (centre % self.shape.vocabulary == PAD).unsqueeze(1)
        return torch.relu(windows.masked_fill(centre_is_pad, CLOSED).amax(2))


ARCHITECTURES: Mapping[str, type[MlpStudent] | type[CnnStudent]] = {"mlp": MlpStudent, "cnn": CnnStudent}


def build_student(shape: Shape) -> Student:
    """A fresh student of that shape."""
    return ARCHITECTURES[shape.architecture](shape)


def _per_segment(*size: int) -> Tensor:
    """Weights that start alike in every segment and part as they learn."""
    one = torch.empty(*size)
    nn.init.kaiming_uniform_(one, a=5**0.5)
    return one.unsqueeze(0).repeat(len(SEGMENTS), *[1] * len(size))
