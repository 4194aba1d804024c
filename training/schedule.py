"""How to train: the numbers of a training loop."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """``epochs`` over which the rate cools down to a hundredth; the last weights are kept.

    With ``patience`` it stops after so many epochs without a better dev score, and the best weights are kept: for data
    on which students overfit. A small dev split is a noisy judge, so that is off (0) by default, and the dev split is
    learnt from too.

    What ``TEACHING`` names says how a teacher's labels are learnt (see ``training.loss``).
    """

    epochs: int = 25
    patience: int = 0
    batch: int = 64
    rate: float = 3e-3
    wide_rate: float = 1e-2
    decay: float = 0.05
    smoothing: float = 0.15
    borrow: float = 0.15
    seed: int = 0
    distill_temperature: float = 1.0
    gold_share: float = 0.5
    hard: bool = False


TEACHING = ("distill_temperature", "gold_share", "hard")
"""The parts of the schedule that mean nothing where no row has a teacher's labels."""
