"""Everything that a fit depends on besides its rows and label set."""

from dataclasses import dataclass, field, replace

from tinyclf.turn import SEGMENTS
from training.schedule import Schedule

BUCKETS_A_ROW, MOST_BUCKETS = 20, 300_000
ROWS_A_PIECE, PIECES = 2.5, (500, 8000)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a student is made like and how it is trained.

    ``vocabulary`` 0 stands for a piece for every ``ROWS_A_PIECE`` rows to learn from, within the bounds of ``PIECES``:
    a small set does not repeat rare pieces often enough to learn them. ``buckets`` 0 stands for ``BUCKETS_A_ROW`` for
    each row, at most ``MOST_BUCKETS``, and at least one for every piece of every segment. ``width`` means nothing to an
    mlp.
    """

    architecture: str = "cnn"
    vocabulary: int = 0
    dim: int = 128
    width: int = 1
    filters: int = 128
    buckets: int = 0
    dropout: float = 0.2
    wide_dropout: float = 0.2
    letters: bool = True
    members: int = 2
    schedule: Schedule = field(default_factory=Schedule)
    augment: bool = True


SHIPPED = Settings(
    vocabulary=8000, dim=64, filters=32, buckets=600_000, wide_dropout=0.3, letters=False, members=4,
    schedule=Schedule(epochs=14, batch=128),
)  # fmt: skip
"""Those of the default bundle, which ``make bundle`` gives as options."""


def resolved(settings: Settings, rows: int) -> Settings:
    """The settings with a size of the vocabulary and a number of buckets."""
    vocabulary = settings.vocabulary or sorted((*PIECES, round(rows / ROWS_A_PIECE)))[1]
    own = max(min(BUCKETS_A_ROW * rows, MOST_BUCKETS), len(SEGMENTS) * vocabulary)
    return replace(settings, vocabulary=vocabulary, buckets=settings.buckets or own)
