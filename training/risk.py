"""The rate of a guarded mistake as a function of its gate, and a bound on it that holds for finite samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.labelset import Guard
from tinyclf.operating import OperatingPoint
from training.metrics import Floats, trials_needed, upper_bound
from training.probabilities import decide

GATES = (*(round(0.30 + 0.02 * step, 2) for step in range(33)), 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999)
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Risk:
    """What a gate does on the calibration split: mistakes among the guarded turns, and F1 of the gated class."""

    gate: float
    mistakes: int
    turns: int
    f1: float

    @property
    def bound(self) -> float:
        """The one-sided Clopper-Pearson upper bound on the rate of the mistake."""
        return upper_bound(self.mistakes, self.turns, CONFIDENCE)

    def promise(self, wanted: float) -> dict[str, Any]:
        """The manifest's words on it: what was bounded, by how much, on how many turns, and whether it holds."""
        return {
            "gate": self.gate,
            "mistakes": self.mistakes,
            "turns": self.turns,
            "upper_bound": round(self.bound, 5),
            "confidence": CONFIDENCE,
            "wanted": wanted,
            "holds": self.bound <= wanted,
            "turns_needed": trials_needed(wanted, CONFIDENCE),
        }


def measure(labels: LabelSet, guard: Guard, given: Mapping[str, Floats], goals: Mapping[str, Floats]) -> list[Risk]:
    """The risk at every gate, from the loosest to the strictest, with the runtime's decoder."""
    index = {(h.name, name): c for h in labels.heads for c, name in enumerate(h.names)}
    place = [h.name for h in labels.heads].index(guard.never[0])
    never = index[guard.never]
    guarded = np.zeros(len(goals[guard.never[0]]), dtype=bool)
    for ref in guard.when:
        guarded |= np.nan_to_num(goals[ref[0]][:, index[ref]]) >= 0.5
    wanted = np.nan_to_num(goals[guard.never[0]][:, never]) >= 0.5
    risks = []
    for gate in GATES:
        point = OperatingPoint("trial", gates={guard.never[0]: {guard.never[1]: gate}})
        answered = np.array([never in chosen[place] for chosen in decide(labels, given, point)])
        hits = int((answered & wanted).sum())
        f1 = 2 * hits / max(int(answered.sum()) + int(wanted.sum()), 1)
        risks.append(Risk(gate, int((answered & guarded).sum()), int(guarded.sum()), f1))
    return risks


def strictest_first(curve: Sequence[Risk], wanted: float) -> Risk:
    """The loosest gate whose mistake rate is proved to be at most ``wanted``; the strictest when none is.

    Gates are tested from the strictest on, each by its Clopper-Pearson bound, and testing stops at the first that
    fails: a fixed sequence, so the 95 % hold for the chosen gate without a correction for the number of gates
    (Angelopoulos et al., Learn then Test, arXiv:2110.01052). Turns are taken as exchangeable with those to come.
    """
    chosen = curve[-1]
    for risk in reversed(curve):
        if risk.bound > wanted:
            break
        chosen = risk
    return chosen
