"""A decision: what the robot shows for one turn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Source = Literal["student", "teacher", "default"]


@dataclass(slots=True)  # not frozen: that takes a microsecond, of some thirty that a decision has
class Decision:
    """The labels of one turn with confidence, class probabilities, source and time taken.

    ``confidence`` is that of the least sure head, 0 to 1. ``sure`` says whether every head reaches the threshold of
    the operating point. ``source`` is ``default`` when there was nothing to decide on (blank or unknown text).
    ``microseconds`` is the wall time of the decision. ``degraded`` says that an LLM was wanted and gave no answer in
    time, so that this is the student's best guess. ``rows`` are the probabilities as the source gave them, a row for
    each of ``heads``; empty where there was nothing to decide on.
    """

    labels: Mapping[str, str | tuple[str, ...]]
    confidence: float
    sure: bool
    source: Source
    microseconds: float
    heads: Sequence[tuple[str, Sequence[str]]] = field(default=(), repr=False)
    rows: Sequence[Sequence[float]] = field(default=(), repr=False)
    degraded: bool = False

    @property
    def probabilities(self) -> dict[str, dict[str, float]]:
        """Head to class to probability; built when asked for, because most callers never do."""
        return {
            head: dict(zip(names, row, strict=True)) for (head, names), row in zip(self.heads, self.rows, strict=False)
        }

    def __getitem__(self, head: str) -> str | tuple[str, ...]:
        """The class (or, for an any-of head, the classes) chosen for a head."""
        return self.labels[head]

    def to_json(self) -> str:
        """The wire form, such as ``{"soll_emotion": "proud", "soll_celebrate": "yes"}``."""
        return json.dumps(self.labels, ensure_ascii=False)

    def to_dict(self, probabilities: bool = True) -> dict[str, Any]:
        """The labels with everything else about the decision, ready for JSON; rounded for people to read."""
        found: dict[str, Any] = {
            **self.labels,
            "confidence": round(self.confidence, 4),
            "sure": self.sure,
            "source": self.source,
            "degraded": self.degraded,
            "microseconds": round(self.microseconds, 1),
        }
        if probabilities:
            found["probabilities"] = {
                head: {name: round(p, 4) for name, p in row.items()} for head, row in self.probabilities.items()
            }
        return found
