"""The rate of a guarded mistake as a function of its gate, and a bound on it that holds for finite samples."""

from collections.abc import Mapping, Sequence
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
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Risk:
    """What a gate does on the calibration split: mistakes among guarded families, and F1 of the gated class.

    A family is one trial, and one turn of it answered wrongly makes it a mistake: turns of a family are variants of one
    another, and counting each would pretend to more evidence than there is.
    """

    gate: float
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
    gates: Mapping[str, Mapping[str, float]],
) -> Risk:
    """The risk of a guard with these gates, decided by the runtime's decoder."""
    head, name = guard.never
    place, column = [h.name for h in labels.heads].index(head), labels.head(head).names.index(name)
    chosen = decide(labels, given, OperatingPoint("trial", gates=gates))
    answered = np.array([column in row[place] for row in chosen])
    guarded, goal = guarded_rows(labels, guard, goals), goals[head][:, column]
    known, wanted = ~np.isnan(goal), np.nan_to_num(goal) >= 0.5
    total = int(answered[known].sum()) + int(wanted.sum())
    names = np.array(families)
    return Risk(
        gate=gates.get(head, {}).get(name, 0.0),
        mistakes=len(set(names[answered & guarded])),
        families=len(set(names[guarded])),
        f1=2 * int((answered & wanted).sum()) / max(total, 1),
    )


def strictest_first(curve: Sequence[Risk], wanted: float) -> Risk:
    """The loosest gate whose mistake rate is proved to be at most ``wanted``; the strictest when none is.

    Gates are tested from the strictest on, each by its Clopper-Pearson bound, and testing stops at the first that
    fails: a fixed sequence, so the 95 % hold for the chosen gate without a correction for the number of gates
    (Angelopoulos et al., Learn then Test, arXiv:2110.01052). Families are taken as exchangeable with those to come;
    that the temperature was fitted and the student chosen on the same rows is neglected.
    """
    chosen = curve[-1]
    for risk in reversed(curve):
        if risk.bound > wanted:
            break
        chosen = risk
    return chosen
