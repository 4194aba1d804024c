"""How well probabilities are calibrated, and the temperature that calibrates them; for students and teachers alike."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

GOLDEN = (5**0.5 - 1) / 2
LEAST, MOST = 0.05, 20.0


def calibration_error(confidence: Floats, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error with equal-width bins (Guo et al., arXiv:1706.04599)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(confidence[place == b].mean() - right[place == b].mean())) * float((place == b).mean())
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def temperature(scores: Floats, goals: Floats, *, one_of: bool) -> float:
    """The temperature of least negative log-likelihood, 0.05 to 20 (Guo et al., arXiv:1706.04599); 1 without rows.

    ``scores`` are logits or log-probabilities, ``goals`` target probabilities; both of shape (rows, classes), rows
    whose goals are NaN are left out. The cost has one minimum over the logarithm of the temperature, so golden-section
    search finds it (Kiefer, Proceedings of the AMS 4, 1953).
    """
    known = ~np.isnan(goals[:, 0])
    if not known.any():
        return 1.0
    scores, goals = scores[known].astype(np.float64), goals[known]

    def cost(log_t: float) -> float:
        return log_loss(scores / np.exp(log_t), goals, one_of=one_of)

    low, high = float(np.log(LEAST)), float(np.log(MOST))
    while high - low > 1e-6:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return float(np.exp((low + high) / 2))


def log_loss(scores: Floats, goals: Floats, *, one_of: bool) -> float:
    """Mean negative log-likelihood of ``goals`` under softmax (one-of) or sigmoid (any-of) of ``scores``."""
    if one_of:
        return float((np.logaddexp.reduce(scores, axis=1) - (goals * scores).sum(1)).mean())
    return float((np.logaddexp(0, scores) - goals * scores).sum(1).mean())
