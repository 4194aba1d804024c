"""A decision: what the robot shows for one turn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal["student", "teacher", "default"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The labels of one turn with the student's confidence, class probabilities, source and time taken.

    ``confidence`` is that of the least sure head, 0 to 1. ``sure`` says whether every head reaches the threshold of
    the operating point. ``source`` is ``default`` when there was nothing to decide on (blank or unknown text).
    ``microseconds`` is the wall time of the decision.
    """

    labels: Mapping[str, str | tuple[str, ...]]
    confidence: float
    sure: bool
    probabilities: Mapping[str, Mapping[str, float]]
    source: Source
    microseconds: float

    def __getitem__(self, head: str) -> str | tuple[str, ...]:
        """The class (or, for an any-of head, the classes) chosen for a head."""
        return self.labels[head]

    def to_json(self) -> str:
        """The wire form, such as ``{"soll_emotion": "proud", "soll_celebrate": "yes"}``."""
        return json.dumps(self.labels, ensure_ascii=False)
