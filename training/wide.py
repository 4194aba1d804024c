"""The wide path: a weight per class for every token and every pair of neighbours, added up."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tinyclf.encode import PAD
from training.kin import Features, Shared, pair_bucket


class WidePath(nn.Module):
    """Linear in tokens and hashed pairs of neighbours (the wide part of Cheng et al., arXiv:1606.07792).

    A token's bucket is its id, a pair's is hashed (Weinberger et al., arXiv:0902.2206) and may share one; bucket 0, of
    PAD and of two PADs, counts for nothing. The weights start at zero, so what was never seen says nothing: on small
    data that is what a deep path alone lacks. In training ``dropout`` leaves tokens and pairs out.

    Buckets with ``features`` in common share weights too; ``settle`` writes those into the table. A bucket that two
    have, by chance of hashing, shares with the kin of both.
    """

    def __init__(self, buckets: int, classes: int, dropout: float = 0.0, features: Sequence[Features] = ()) -> None:
        super().__init__()
        self.dropout = dropout
        self.table = nn.Embedding(buckets, classes, sparse=True)
        nn.init.zeros_(self.table.weight)
        self.shared = nn.ModuleList(Shared(common, classes) for common in features)

    def forward(self, ids: Tensor) -> Tensor:
        """The sum of all weights over the root of their number, shape (batch, classes), for ids (batch, tokens)."""
        pairs = pair_bucket(ids[:, :-1], ids[:, 1:], self.table.num_embeddings)
        buckets = torch.cat([ids, pairs], dim=1)
        counts = buckets != PAD
        if self.training and self.dropout:
            counts &= torch.rand(buckets.shape, device=ids.device) >= self.dropout
        weights = self.table(buckets)
        for shared in self.shared:
            weights = weights + shared(buckets)
        scaled: Tensor = (weights * counts.unsqueeze(-1)).sum(1) / counts.sum(1, keepdim=True).clamp(min=1).sqrt()
        return scaled

    def settle(self) -> None:
        """Add to each bucket's own weights what it shares, and forget the features; the answers stay."""
        with torch.no_grad():
            for shared in self.shared:
                assert isinstance(shared, Shared)  # noqa: S101
                buckets = shared.slots.nonzero().squeeze(1)
                self.table.weight[buckets] += shared(buckets)
        self.shared = nn.ModuleList()
