"""Quiz turns: whether the student is unsure where only the world knows, and sure and right once a reply tells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.operating import OperatingPoint
from tinyclf.tables import markdown
from training.probabilities import decided
from training.rows import Row
from training.targets import gold_arrays

HEADER = ["turns", "operating point", "n", "right", "sure", "sure and right", "sure and wrong"]


def quiz_figures(
    labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats], point: OperatingPoint
) -> dict[str, dict[str, float]]:
    """Shares of the turns without and with a reply: all heads right, sure, and both; ``n`` is their number."""
    goals = {name: goal.argmax(1) for name, goal in gold_arrays(rows, labels).items()}
    answers = decided(labels, given, point)
    right = np.array(
        [
            all(chosen[h] == (int(goals[head.name][i]),) for h, head in enumerate(labels.heads))
            for i, (chosen, _, _) in enumerate(answers)
        ]
    )
    sure = np.array([is_sure for _, _, is_sure in answers])
    with_reply = np.array([bool(row.turn.reply) for row in rows])
    return {
        name: {
            "n": int(here.sum()),
            "right": float(right[here].mean()),
            "sure": float(sure[here].mean()),
            "sure and right": float((sure & right)[here].mean()),
            "sure and wrong": float((sure & ~right)[here].mean()),
        }
        for name, here in (("answer alone", ~with_reply), ("answer and reply", with_reply))
    }


def quiz_table(found: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]]) -> str:
    """Means over seeds, by operating point."""
    rows: list[list[Any]] = []
    for point, seeds in found.items():
        for name in seeds[0]:
            means = [f"{np.mean([seed[name][figure] for seed in seeds]):.3f}" for figure in HEADER[3:]]
            rows.append([name, point, seeds[0][name]["n"], *means])
    return markdown(HEADER, sorted(rows, key=lambda row: str(row[0])))
