"""The rate of a guarded mistake as a function of gate and limit, and a bound on it that holds for finite samples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.labelset import Guard
from tinyclf.operating import OperatingPoint
from training.metrics import trials_needed, upper_bound
from training.probabilities import decide

GATES = (*(round(0.30 + 0.02 * step, 2) for step in range(33)), 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999)
"""The loosest first."""
LIMITS = (
    0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 1.0,
)  # fmt: skip
"""The strictest first; the last one closes nothing."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Risk:
    """What gate and limit do on the calibration split: mistakes among guarded families, and F1 of the guarded class.

    A family is one trial, and one turn of it answered wrongly makes it a mistake: turns of a family are variants of one
    another, and counting each would pretend to more evidence than there is.
    """

    gate: float
    limit: float
    mistakes: int
    families: int
    f1: float

    @property
    def bound(self) -> float:
        """The one-sided Clopper-Pearson upper bound on the rate of the mistake."""
        return upper_bound(self.mistakes, self.families, CONFIDENCE)

    def promise(self, wanted: float) -> dict[str, Any]:
        """The manifest's words on it: what was bounded, by how much, on how many families, and whether it holds."""
        return {
            "gate": self.gate,
            "limit": self.limit,
            "mistakes": self.mistakes,
            "families": self.families,
            "upper_bound": round(self.bound, 5),
            "confidence": CONFIDENCE,
            "wanted": wanted,
            "holds": self.bound <= wanted,
            "families_needed": trials_needed(wanted, CONFIDENCE),
        }


def guarded_rows(labels: LabelSet, guard: Guard, goals: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
    """Which rows the guard protects: those whose true label is one of its ``when``."""
    found = np.zeros(len(goals[guard.never[0]]), dtype=bool)
    for head, name in guard.when:
        found |= np.nan_to_num(goals[head][:, labels.head(head).names.index(name)]) >= 0.5
    return found


def measure(
    labels: LabelSet,
    guard: Guard,
    given: Mapping[str, Floats],
    goals: Mapping[str, Floats],
    families: Sequence[str],
    point: OperatingPoint,
) -> Risk:
    """The risk of a guard at this point, decided by the runtime's decoder."""
    (head, name), (place, column) = guard.never, labels.places[guard.never]
    chosen = decide(labels, given, point)
    answered = np.array([column in row[place] for row in chosen], dtype=bool)
    guarded, goal = guarded_rows(labels, guard, goals), goals[head][:, column]
    known, wanted = ~np.isnan(goal), np.nan_to_num(goal) >= 0.5
    total = int(answered[known].sum()) + int(wanted.sum())
    names = np.array(families)
    return Risk(
        gate=point.gates.get(head, {}).get(name, 0.0),
        limit=point.limits.get(guard.name, 1.0),
        mistakes=len(set(names[answered & guarded])),
        families=len(set(names[guarded])),
        f1=2 * int((answered & wanted).sum()) / max(total, 1),
    )


def last_proved(path: Iterable[Risk], wanted: float, spare: int = 0) -> Risk:
    """The last on a path, from the strictest on, whose rate is proved to be at most ``wanted``; the first if none is.

    With ``spare`` the one that stands so many steps before it.

    Each is tested by its Clopper-Pearson bound, and testing stops at the first that fails: a fixed sequence, so the
    95 % hold for the chosen one without a correction for how many were tested (Angelopoulos et al., Learn then Test,
    arXiv:2110.01052). Families are taken as exchangeable with those to come; that the temperature was fitted, the
    student chosen and the path laid on the same rows is neglected.
    """
    risks = iter(path)
    passed = [next(risks)]
    if passed[0].bound <= wanted:
        for risk in risks:
            if risk.bound > wanted:
                break
            passed.append(risk)
    return passed[max(len(passed) - 1 - spare, 0)]
