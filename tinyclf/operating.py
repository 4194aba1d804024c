"""Operating points: named sets of thresholds, chosen on the calibration split and kept in the manifest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Thresholds by head: when the student is sure, and how probable a guarded or any-of class must be.

    ``sure``: head to the least probability of the chosen class. ``gates``: head to class to the least probability at
    which that class may be chosen. ``limits``: guard to the greatest probability of what it protects at which its
    class may be chosen. ``promise``: what was bounded, on how many families, and whether the bound holds.
    """

    name: str
    sure: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    promise: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The manifest's form, without the name."""
        return {key: value for key, value in asdict(self).items() if key != "name"}
