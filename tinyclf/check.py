"""Time single decisions on this machine: is the promise of a few microseconds kept here?"""

import gc
import os
import platform
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from tinyclf.classifier import Classifier
from tinyclf.turn import Turn

LIMIT_MS = 5.0
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99, "p99.9": 99.9, "max": 100}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long single decisions took, in microseconds, and under what load."""

    count: int
    microseconds: dict[str, float]
    load: float

    @property
    def fast_enough(self) -> bool:
        """Whether the 99th percentile is under the limit of 5 ms."""
        return self.microseconds["p99"] < LIMIT_MS * 1000


def time_decisions(classifier: Classifier, turns: list[Turn], count: int = 5000) -> Timing:
    """Time ``count`` decisions, one at a time, over ``turns`` in rotation; the first tenth warms up and is dropped."""
    taken = np.empty(count)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for i in range(-count // 10, count):
            turn = turns[i % len(turns)]
            start = perf_counter_ns()
            classifier(turn.utterance, turn.previous, turn.reply)
            taken[i] = perf_counter_ns() - start
    finally:
        if enabled:
            gc.enable()
    found = {name: round(float(np.percentile(taken, q)) / 1000, 1) for name, q in PERCENTILES.items()}
    return Timing(count, found, load())


def load() -> float:
    """The one-minute load average; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def host() -> str:
    """The machine in a line: system, processor and cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
