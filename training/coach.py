"""The coach: a larger network that learns first, so that the student can learn its soft answers beside gold."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD
from tinyclf.turn import SEGMENTS
from training.student import by_head
from training.wide import WidePath


@dataclass(frozen=True, slots=True)
class CoachShape:
    """The sizes of a coach. ``heads`` maps head names to numbers of classes."""

    heads: Mapping[str, int]
    vocabulary: int
    buckets: int
    dim: int = 128
    hidden: int = 128
    dropout: float = 0.4
    wide_dropout: float = 0.0


class Coach(nn.Module):
    """Reads the turn in order, both ways, where the student sees words and pairs; too slow for the robot.

    A bidirectional GRU (Cho et al., arXiv:1406.1078), maximum and mean over its outputs, one hidden layer, and the
    wide path of the student beside it.
    """

    def __init__(self, shape: CoachShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.6)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.segment = nn.Embedding(len(SEGMENTS), shape.dim)
        nn.init.zeros_(self.segment.weight)
        self.dropout = nn.Dropout(shape.dropout)
        self.reader = nn.GRU(shape.dim, shape.hidden, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(4 * shape.hidden, shape.hidden)
        self.head = nn.Linear(shape.hidden, sum(shape.heads.values()))
        self.wide = WidePath(shape.buckets, self.head.out_features, shape.wide_dropout)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Logits of shape (batch, classes) per head, for ids of shape (batch, tokens)."""
        pieces = ids % self.shape.vocabulary
        embedded = self.embedding(pieces) + self.segment(ids // self.shape.vocabulary)
        read, _ = self.reader(self.dropout(embedded))
        silent = (pieces == PAD).unsqueeze(-1)
        largest = read.masked_fill(silent, -1.0).amax(1)
        mean = read.masked_fill(silent, 0.0).sum(1) / (~silent).sum(1).clamp(min=1)
        features = self.dropout(torch.cat([largest, mean], dim=1))
        hidden = self.dropout(torch.relu(self.hidden(features)))
        return by_head(self.shape.heads, self.head(hidden) + self.wide(ids))
