"""The wide path: a weight per class for every token and every pair of neighbours, added up."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD, UNKNOWN

PAIR_FACTOR = 31_337
"""A pair's bucket: its left id times this prime, less its right id, modulo the buckets; (PAD, a) is not a's own."""
LETTERS, LETTER_BUCKETS = (2, 3, 4, 5), 100_000
"""Lengths of letter n-grams, and the buckets that they are hashed into; bucket 0 is for none."""


class WidePath(nn.Module):
    """Linear in tokens and hashed pairs of neighbours (the wide part of Cheng et al., arXiv:1606.07792).

    A token's bucket is its id, a pair's is hashed (Weinberger et al., arXiv:0902.2206) and may share one; bucket 0, of
    PAD and of two PADs, counts for nothing. The weights start at zero, so what was never seen says nothing: on small
    data that is what a deep path alone lacks. In training ``dropout`` leaves tokens and pairs out.

    With ``pieces`` (the vocabulary as text) the tokens of the utterance also share weights by their letters, so that
    a rare word learns from its kin (Bojanowski et al., arXiv:1607.04606). ``settle`` writes that into the table; a pair
    whose bucket happens to be a token's shares with it too.
    """

    grams: Tensor

    def __init__(self, buckets: int, classes: int, dropout: float = 0.0, pieces: Sequence[str] = ()) -> None:
        super().__init__()
        self.dropout = dropout
        self.table = nn.Embedding(buckets, classes, sparse=True)
        nn.init.zeros_(self.table.weight)
        self.letters: nn.Embedding | None = None
        if pieces:
            self.letters = nn.Embedding(LETTER_BUCKETS, classes, sparse=True)
            nn.init.zeros_(self.letters.weight)
            self.register_buffer("grams", letter_grams(pieces), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """The sum of all weights over the root of their number, shape (batch, classes), for ids (batch, tokens)."""
        pairs = (ids[:, :-1] * PAIR_FACTOR - ids[:, 1:]) % self.table.num_embeddings
        buckets = torch.cat([ids, pairs], dim=1)
        counts = buckets != PAD
        if self.training and self.dropout:
            counts &= torch.rand(buckets.shape, device=ids.device) >= self.dropout
        total = (self.table(buckets) * counts.unsqueeze(-1)).sum(1)
        if self.letters is not None:
            said = torch.where(counts & (buckets < len(self.grams)), buckets, PAD)
            pieces, places = torch.unique(said, return_inverse=True)
            total = total + self._shared(pieces)[places].sum(1)
        scaled: Tensor = total / counts.sum(1, keepdim=True).clamp(min=1).sqrt()
        return scaled

    def settle(self) -> None:
        """Add to each token's own weights what its letters share, and forget the letters; the answers stay."""
        if self.letters is not None:
            with torch.no_grad():
                self.table.weight[: len(self.grams)] += self._shared(torch.arange(len(self.grams)))
            self.letters = None
            del self.grams

    def _shared(self, pieces: Tensor) -> Tensor:
        """What the letters of pieces add, shape (pieces, classes); nothing for PAD."""
        assert self.letters is not None  # noqa: S101
        grams = self.grams[pieces]
        known = grams != 0
        total = (self.letters(grams) * known.unsqueeze(-1)).sum(1)
        shared: Tensor = total / known.sum(1, keepdim=True).clamp(min=1).sqrt()
        return shared


def letter_grams(pieces: Sequence[str]) -> Tensor:
    """The buckets of each piece's letter n-grams, shape (pieces, most), filled up with 0; ``<`` begins a word."""
    rows = []
    for i, piece in enumerate(pieces):
        text = piece.replace("▁", "<")
        found = {text[at : at + n] for n in LETTERS for at in range(len(text) - n + 1) if n < len(text)}
        rows.append(sorted(zlib.crc32(gram.encode()) % (LETTER_BUCKETS - 1) + 1 for gram in found if i > UNKNOWN))
    most = max(1, *map(len, rows))
    return torch.tensor([row + [0] * (most - len(row)) for row in rows])
