"""Calibration: a temperature per head, then the operating points, all on the calibration split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats, temperature
from tinyclf.labelset import Head
from tinyclf.operating import OperatingPoint
from training.metrics import upper_bound
from training.probabilities import probabilities
from training.risk import GATES, measure, strictest_first

SURE = {"balanced": 0.95, "careful": 0.97}
"""The accuracy that the sure answers of each head, taken alone, shall have on the calibration split."""
STRICTEST, BOUND = 0.01, 0.015
"""``careful`` bounds the rate of every guarded mistake, with 95 % confidence for each: as strictly as the number of
guarded families in the split can prove, between these two."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibration found: a temperature per head, and the operating points."""

    temperatures: Mapping[str, float]
    points: Mapping[str, OperatingPoint]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "temperatures": dict(self.temperatures),
            "operating_points": {name: point.to_dict() for name, point in self.points.items()},
        }

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> "Calibration":
        """From JSON."""
        points = {name: OperatingPoint(name, **entry) for name, entry in table["operating_points"].items()}
        return Calibration(table["temperatures"], points)


def calibrate(
    labels: LabelSet,
    logits: Mapping[str, Floats],
    goals: Mapping[str, Floats],
    families: Sequence[str],
    bound: float | None = None,
) -> Calibration:
    """Fit temperatures and choose the operating points ``balanced`` and ``careful``.

    ``balanced`` gates a guarded class where its F1 is best; ``careful`` gates it at least as strictly, and so that the
    guarded mistake is proved to be rarer than ``bound`` (see ``BOUND``), or says that the split is too small for it.
    """
    temperatures = {h.name: temperature(logits[h.name], goals[h.name], one_of=h.kind == "one-of") for h in labels.heads}
    given = probabilities(labels, logits, temperatures)
    gates: dict[str, dict[str, dict[str, float]]] = {name: {} for name in SURE}
    wanted: dict[str, float] = {}
    for guard in labels.guards:
        head, cls = guard.never
        curve = [measure(labels, guard, given, goals, families, {head: {cls: gate}}) for gate in GATES]
        balanced = max(curve, key=lambda risk: (risk.f1, risk.gate)).gate
        wanted[guard.name] = bound or provable(curve[0].families)
        careful = max(balanced, strictest_first(curve, wanted[guard.name]).gate)
        for name, gate in (("balanced", balanced), ("careful", careful)):
            known = gates[name].setdefault(head, {})
            known[cls] = max(gate, known.get(cls, 0.0))
    promise = {
        guard.name: measure(labels, guard, given, goals, families, gates["careful"]).promise(wanted[guard.name])
        for guard in labels.guards
    }
    points = {
        name: OperatingPoint(
            name,
            {h.name: sure_threshold(h, given[h.name], goals[h.name], rate) for h in labels.heads},
            gates[name],
            promise if name == "careful" else {},
        )
        for name, rate in SURE.items()
    }
    return Calibration(temperatures, points)


def provable(families: int) -> float:
    """The bound to prove on so many families: what no mistake at all would prove, but at least ``STRICTEST``."""
    return min(max(upper_bound(0, families), STRICTEST), BOUND)


def sure_threshold(head: Head, given: Floats, goals: Floats, wanted: float) -> float:
    """The least confidence from which on the decisions of a head are right at the wanted rate.

    Where no threshold reaches the rate, the one that comes nearest with at least 20 decisions (or all, if fewer).
    """
    known = ~np.isnan(goals[:, 0])
    if not known.any():
        return 0.0
    given, goals = given[known], goals[known]
    if head.kind == "one-of":
        confidence, right = given.max(1), given.argmax(1) == goals.argmax(1)
    else:
        confidence = np.maximum(given, 1 - given).min(1)
        right = ((given >= 0.5) == (goals >= 0.5)).all(1)
    order = np.argsort(-confidence, kind="stable")
    rate = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    least = min(20, len(order))
    reached = [i for i in range(least - 1, len(order)) if rate[i] >= wanted]
    last = reached[-1] if reached else least - 1 + int(rate[least - 1 :].argmax())
    return _down(float(confidence[order[last]]))


def _down(value: float) -> float:
    """Rounded down to four places, so that the row that set the threshold still passes it."""
    return float(np.floor(value * 1e4) / 1e4)
