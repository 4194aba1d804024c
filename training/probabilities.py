"""Logits to calibrated probabilities, and probabilities to decisions, for whole arrays."""

from collections.abc import Mapping

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.decode import Chosen, Decoder
from tinyclf.operating import OperatingPoint

UNGATED = OperatingPoint("ungated")
"""No thresholds: the most probable compatible labels."""


def probabilities(
    labels: LabelSet, logits: Mapping[str, Floats], temperatures: Mapping[str, float]
) -> dict[str, Floats]:
    """Softmax (one-of) or sigmoid (any-of) of the logits over the temperature, per head."""
    found: dict[str, Floats] = {}
    for head in labels.heads:
        scaled = logits[head.name].astype(np.float64) / temperatures.get(head.name, 1.0)
        if head.kind == "one-of":
            raised = np.exp(scaled - scaled.max(1, keepdims=True))
            found[head.name] = raised / raised.sum(1, keepdims=True)
        else:
            found[head.name] = 1 / (1 + np.exp(-scaled))
    return found


def decide(labels: LabelSet, given: Mapping[str, Floats], point: OperatingPoint = UNGATED) -> list[Chosen]:
    """The class indices chosen by head, for every row, as the runtime's decoder chooses them."""
    return [chosen for chosen, _, _ in decided(labels, given, point)]


def decided(labels: LabelSet, given: Mapping[str, Floats], point: OperatingPoint) -> list[tuple[Chosen, float, bool]]:
    """For every row the chosen class indices, the confidence of the least sure head, and whether all are sure."""
    decoder = Decoder(labels, point)
    rows = zip(*(given[head.name].tolist() for head in labels.heads), strict=True)
    return [decoder(row) for row in rows]
