"""Time calls fairly: systems take turns in short blocks, so that a busy moment hits them all."""

import gc
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from tinyclf import Turn
from tinyclf.check import PERCENTILES

Call = Callable[[Turn], object]
Times = npt.NDArray[np.float64]


def in_turns(calls: Mapping[str, Call], turns: Sequence[Turn], count: int, blocks: int = 10) -> dict[str, Times]:
    """Microseconds of ``count`` calls to each system; the first block's worth of calls is warm-up and not kept."""
    each = max(1, count // blocks)
    taken: dict[str, list[int]] = {name: [] for name in calls}
    gc.disable()
    try:
        for block in range(blocks + 1):
            for name, call in calls.items():
                times = _block(call, turns, each)
                if block:
                    taken[name] += times
    finally:
        gc.enable()
    return {name: np.array(times) / 1000 for name, times in taken.items()}


def _block(call: Call, turns: Sequence[Turn], count: int) -> list[int]:
    times = []
    for i in range(count):
        turn = turns[i % len(turns)]
        start = perf_counter_ns()
        call(turn)
        times.append(perf_counter_ns() - start)
    return times


def percentiles(times: Times) -> dict[str, float]:
    """P50, P95, P99, P99.9 and the largest, in microseconds, with n."""
    return {"n": len(times)} | {name: round(float(np.percentile(times, q)), 2) for name, q in PERCENTILES.items()}
