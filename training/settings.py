"""Everything that a fit depends on besides its rows and label set."""

from dataclasses import dataclass, field, replace

from tinyclf.turn import SEGMENTS
from training.schedule import Schedule

BUCKETS_A_ROW, MOST_BUCKETS = 20, 300_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What a student is made like and how it is trained.

    ``buckets`` 0 stands for ``BUCKETS_A_ROW`` for each row to learn from, at most ``MOST_BUCKETS``, and at least one
    for every piece of every segment. ``width`` means nothing to an mlp.
    """

    architecture: str = "cnn"
    vocabulary: int = 5000
    dim: int = 64
    width: int = 1
    filters: int = 32
    buckets: int = 0
    dropout: float = 0.2
    wide_dropout: float = 0.2
    letters: bool = True
    members: int = 2
    schedule: Schedule = field(default_factory=Schedule)
    augment: bool = True


SHIPPED = Settings(vocabulary=8000, buckets=600_000, letters=False, members=4, schedule=Schedule(epochs=20))
"""Those of the default bundle, which ``make bundle`` gives as options."""


def resolved(settings: Settings, rows: int) -> Settings:
    """The settings with a number of buckets."""
    own = max(min(BUCKETS_A_ROW * rows, MOST_BUCKETS), len(SEGMENTS) * settings.vocabulary)
    return settings if settings.buckets else replace(settings, buckets=own)
