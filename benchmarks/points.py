"""What a load run recorded: one entry a request, as arrays."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinyclf.check import PERCENTILES

Numbers = npt.NDArray[np.float64]

REFUSED, RESET, TIMEOUT, BROKEN = -1, -2, -3, -4
ERRORS = {REFUSED: "refused", RESET: "reset", TIMEOUT: "timeout", BROKEN: "not HTTP"}

SOURCE = re.compile(rb'"source": *"(\w+)"')
DEGRADED = re.compile(rb'"degraded": *true')
MICROSECONDS = re.compile(rb'"microseconds": *([\d.e+-]+)')


class Record(NamedTuple):
    """One request as the generator notes it: times from ``perf_counter``, HTTP status or error, the body as it came."""

    intended: float
    sent: float
    done: float
    status: int
    which: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Points:
    """One entry a request, in the order in which they ended.

    ``begin``: the intended send time in seconds from the start of the run. ``late``: milliseconds from then until it
    was sent. ``latency``: milliseconds from the intended send time to the whole answer. ``status``: HTTP status, or one
    of ``ERRORS``. ``which``: the request's place in ``Load.requests``. ``source``, ``degraded`` and ``inside`` (the
    server's own figure, in milliseconds) are what the answer says; empty, false and NaN where it says nothing.
    """

    begin: Numbers
    late: Numbers
    latency: Numbers
    status: npt.NDArray[np.int16]
    which: npt.NDArray[np.int32]
    source: npt.NDArray[np.str_]
    degraded: npt.NDArray[np.bool_]
    inside: Numbers

    def where(self, keep: npt.NDArray[np.bool_]) -> "Points":
        """The entries for which ``keep`` is true."""
        return Points(*(getattr(self, field.name)[keep] for field in fields(self)))

    @property
    def answered(self) -> "Points":
        """The entries with HTTP 200."""
        return self.where(self.status == 200)


def to_points(records: Sequence[Record], start: float) -> Points:
    """The records as arrays; bodies are read here, after the run, so that reading costs nothing during it."""
    times = np.array([record[:3] for record in records], dtype=np.float64).reshape(-1, 3)
    bodies = [record.body for record in records]
    sources = [SOURCE.search(body) for body in bodies]
    inside = [MICROSECONDS.search(body) for body in bodies]
    return Points(
        begin=times[:, 0] - start,
        late=(times[:, 1] - times[:, 0]) * 1000,
        latency=(times[:, 2] - times[:, 0]) * 1000,
        status=np.array([record.status for record in records], dtype=np.int16),
        which=np.array([record.which for record in records], dtype=np.int32),
        source=np.array([found[1].decode() if found else "" for found in sources], dtype="U8"),
        degraded=np.array([DEGRADED.search(body) is not None for body in bodies], dtype=np.bool_),
        inside=np.array([float(found[1]) / 1000 if found else np.nan for found in inside], dtype=np.float64),
    )


def joined(runs: Sequence[Points]) -> Points:
    """Several runs as one; ``begin`` counts from the start of each."""
    return Points(*(np.concatenate([getattr(run, field.name) for run in runs]) for field in fields(Points)))


def percentiles(values: Numbers) -> dict[str, float]:
    """P50, P95, P99, P99.9 and the largest, in the unit of ``values``; NaN where there are none."""
    return {
        name: round(float(np.percentile(values, q)), 3) if len(values) else float("nan")
        for name, q in PERCENTILES.items()
    }


def summary(points: Points, seconds: float, rounds: int = 1) -> dict[str, Any]:
    """The figures of ``rounds`` runs of ``seconds`` each: n, errors by kind, percentiles of latency in milliseconds.

    Latency is that of requests that were answered, whatever the status, or ran into the time limit, which counts with
    the limit itself. ``per second``: answers that came within the run. ``late p99``: how late the generator sent.
    """
    ended = points.where((points.status > 0) | (points.status == TIMEOUT))
    good = points.answered
    return {
        "n": len(points.status),
        "errors": errors(points),
        "per second": round(float((good.begin + good.latency / 1000 <= seconds).sum()) / seconds / rounds, 1),
        **percentiles(ended.latency),
        "late p99": percentiles(points.late)["p99"],
        "sources": dict(Counter(good.source.tolist())),
        "degraded": round(float(good.degraded.mean()), 4) if len(good.status) else 0.0,
    }


def errors(points: Points) -> dict[str, int]:
    """How many requests had no answer with HTTP 200, by kind."""
    failed = points.status[points.status != 200].tolist()
    return dict(Counter(ERRORS.get(status, f"HTTP {status}") for status in failed))
