"""Calibration: a temperature per head, then the operating points, all on the calibration split."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats, temperature
from tinyclf.labelset import Guard, Head
from tinyclf.operating import OperatingPoint
from training.metrics import upper_bound
from training.probabilities import probabilities
from training.risk import GATES, LIMITS, Risk, last_proved, measure

SURE = {"balanced": 0.95, "careful": 0.97}
"""The accuracy that the sure answers of each head, taken alone, shall have on the calibration split."""
PRICE = 0.05
"""So much of a guarded class's F1 ``balanced`` gives for fewer guarded mistakes: they cost more than what is missed."""
SPARE = 1
"""``careful`` stays so many steps stricter than what is proved: an int8 export moves small probabilities a little."""
STRICTEST, BOUND = 0.005, 0.015
"""``careful`` bounds the rate of every guarded mistake, with 95 % confidence for each: as strictly as the number of
guarded families in the split can prove, between these two."""

Trial = Callable[[float, float], Risk]
"""What a gate and a limit would do."""


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

    ``balanced`` gates a guarded class where its F1 is best, and limits it so that of what ``PRICE`` allows the fewest
    guarded mistakes are left. ``careful`` is at least as strict, and so that the guarded mistake is proved to be rarer
    than ``bound`` (see ``BOUND``), or says that the split is too small for it. Guards are taken one after another, each
    beside those before it; the promise is that of all together.
    """
    temperatures = {h.name: temperature(logits[h.name], goals[h.name], one_of=h.kind == "one-of") for h in labels.heads}
    given = probabilities(labels, logits, temperatures)
    points = {
        name: OperatingPoint(
            name, {h.name: sure_threshold(h, given[h.name], goals[h.name], rate) for h in labels.heads}
        )
        for name, rate in SURE.items()
    }

    def measured(guard: Guard, point: OperatingPoint) -> Risk:
        return measure(labels, guard, given, goals, families, point)

    wanted: dict[str, float] = {}
    for guard in labels.guards:
        balanced = _balanced(_trial(measured, guard, points["balanced"]))
        wanted[guard.name] = bound or provable(balanced.families)
        careful = last_proved(_path(_trial(measured, guard, points["careful"]), balanced), wanted[guard.name], SPARE)
        for name, found in (("balanced", balanced), ("careful", careful)):
            points[name] = _guarded(points[name], guard, found.gate, found.limit)
    promise = {guard.name: measured(guard, points["careful"]).promise(wanted[guard.name]) for guard in labels.guards}
    return Calibration(temperatures, {**points, "careful": replace(points["careful"], promise=promise)})


def _balanced(trial: Trial) -> Risk:
    """The gate at which F1 is best, and with it the limit that leaves the fewest mistakes for at most ``PRICE``."""
    best = max((trial(gate, 1.0) for gate in GATES), key=lambda found: (found.f1, found.gate))
    limited = [trial(best.gate, limit) for limit in LIMITS]
    return min(
        (found for found in limited if found.f1 >= best.f1 - PRICE), key=lambda found: (found.mistakes, -found.f1)
    )


def _path(trial: Trial, end: Risk) -> Iterator[Risk]:
    """From the strictest on: first the gate is loosened, then the limit, up to those of ``end``."""
    for gate in reversed([gate for gate in GATES if gate > end.gate]):
        yield trial(gate, LIMITS[0])
    for limit in LIMITS:
        if limit <= end.limit:
            yield trial(end.gate, limit)


def _trial(measured: Callable[[Guard, OperatingPoint], Risk], guard: Guard, point: OperatingPoint) -> Trial:
    """What a gate and a limit would do at the point."""
    return lambda gate, limit: measured(guard, _guarded(point, guard, gate, limit))


def _guarded(point: OperatingPoint, guard: Guard, gate: float, limit: float) -> OperatingPoint:
    """The point with this gate and limit too; of two gates on one class the stricter stands."""
    head, name = guard.never
    known = point.gates.get(head, {})
    gates = {**point.gates, head: {**known, name: max(gate, known.get(name, 0.0))}}
    return replace(point, gates=gates, limits={**point.limits, guard.name: limit})


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
