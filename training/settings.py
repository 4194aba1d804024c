"""Everything that a fit depends on besides its rows and label set."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tinyclf.turn import SEGMENTS
from training.schedule import Schedule

BUCKETS_A_ROW, MOST_BUCKETS = 20, 300_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What a student is made like and how it is trained.

    ``buckets`` 0 stands for ``BUCKETS_A_ROW`` for each row to learn from, at most ``MOST_BUCKETS``.
    """

    architecture: str = "cnn"
    vocabulary: int = 5000
    dim: int = 64
    width: int = 1
    filters: int = 64
    hidden: int = 64
    buckets: int = 0
    dropout: float = 0.2
    wide_dropout: float = 0.2
    letters: bool = True
    coach: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    augment: bool = True


SHIPPED = Settings(letters=False, coach=True)
"""Those of the default bundle, which ``make bundle`` gives as options."""
COACHING: Mapping[str, Any] = {"epochs": 14, "rate": 1.5e-3, "smoothing": 0.1}
"""What a coach's schedule has of its own."""


def resolved(settings: Settings, rows: int) -> Settings:
    """The settings with a number of buckets."""
    own = max(min(BUCKETS_A_ROW * rows, MOST_BUCKETS), len(SEGMENTS) * settings.vocabulary)
    return settings if settings.buckets else replace(settings, buckets=own)
