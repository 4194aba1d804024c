"""The student: ids in, one row of logits per head out. Two architectures behind one interface."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS
from training.kin import Kinship
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

    pieces: Tensor

    def __init__(self, shape: Shape, kinship: Kinship) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.6)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.filters, sum(shape.heads.values()))
        self.wide = WidePath(shape.buckets, self.head.out_features, shape.wide_dropout, kinship.features)
        self.meanings: nn.Parameter | None = None
        if kinship.meanings is not None:
            self.register_buffer("pieces", kinship.meanings, persistent=False)
            self.meanings = nn.Parameter(torch.zeros(kinship.meanings.shape[1], shape.dim))

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, classes) per head, for ids of shape (batch, tokens)."""
        logits = self.head(self.dropout(self.features(ids))) + self.wide(ids)
        heads = self.shape.heads
        return dict(zip(heads, torch.split(logits, list(heads.values()), dim=1), strict=True))

    def features(self, ids: Tensor) -> Tensor:
        """Features of shape (batch, features)."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """The embedding of every piece, its own and that of its meanings; shape (vocabulary, dim)."""
        own: Tensor = self.embedding.weight
        return own if self.meanings is None else own + self.pieces @ self.meanings

    def settle(self) -> None:
        """Write what words share into the weights of their own, and forget who is kin; the answers stay."""
        self.wide.settle()
        with torch.no_grad():
            self.embedding.weight.copy_(self.table())
        self.meanings = None

    def read(self, ids: Tensor, weights: Tensor) -> Tensor:
        """Each token's embedding through the weights of its segment; shape (batch, tokens, outputs), PAD gives zero.

        ``weights`` have the shape (segments, outputs, dim). All segments' products are made, in one go, and one taken.
        """
        embedded = self.dropout(nn.functional.embedding(ids % self.shape.vocabulary, self.table(), padding_idx=PAD))
        every = (embedded @ weights.flatten(0, 1).T).unflatten(-1, weights.shape[:2])
        own = (ids // self.shape.vocabulary)[..., None, None].expand(-1, -1, 1, weights.shape[1])
        taken: Tensor = every.gather(2, own).squeeze(2)
        return taken


class MlpStudent(Student):
    """The mean of the token embeddings, projected per segment (as in Iyyer et al., 2015, deep averaging network)."""

    def __init__(self, shape: Shape, kinship: Kinship) -> None:
        super().__init__(shape, kinship)
        self.projection = nn.Parameter(_per_segment(shape.filters, shape.dim))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        count = (ids % self.shape.vocabulary != PAD).sum(1, keepdim=True).clamp(min=1)
        return torch.relu(self.read(ids, self.projection).sum(1) / count)


class CnnStudent(Student):
    """Convolution over tokens and maximum over time (Kim, arXiv:1408.5882), with filters per segment.

    A window stands on its first token.
    """

    def __init__(self, shape: Shape, kinship: Kinship) -> None:
        super().__init__(shape, kinship)
        self.taps = nn.Parameter(_per_segment(shape.filters, shape.dim, shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.filters))

    def features(self, ids: Tensor) -> Tensor:  # noqa: D102
        width, windows = self.shape.width, ids.shape[1] - self.shape.width + 1
        taps = self.read(ids, self.taps.permute(0, 3, 1, 2).flatten(1, 2)).chunk(width, dim=2)
        total = torch.stack([tap[:, i : i + windows] for i, tap in enumerate(taps)]).sum(0) + self.bias
        on_pad = (ids[:, :windows] % self.shape.vocabulary == PAD).unsqueeze(-1)
        return torch.relu(total.masked_fill(on_pad, CLOSED).amax(1))


ARCHITECTURES: Mapping[str, type[MlpStudent] | type[CnnStudent]] = {"mlp": MlpStudent, "cnn": CnnStudent}


def build_student(shape: Shape, kinship: Kinship | None = None) -> Student:
    """A fresh student of that shape, which may be told which words are kin."""
    return ARCHITECTURES[shape.architecture](shape, kinship or Kinship())


def _per_segment(*size: int) -> Tensor:
    """Weights that start alike in every segment and part as they learn."""
    one = torch.empty(*size)
    nn.init.kaiming_uniform_(one, a=5**0.5)
    return one.unsqueeze(0).repeat(len(SEGMENTS), *[1] * len(size))
