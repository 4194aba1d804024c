"""Metrics for Prometheus: latencies, decisions, the cascade, refusals, bundles. Never a word of what was said."""

import os
from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tinyclf import Breaker, Capture, Decision
from tinyclf.breaker import State
from tinyclf.labelset import as_tuple
from tinyclf.race import Outcome

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers of one service keep their figures, so that any of them can show all (prometheus_client)."""
BUCKETS = (
    0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05,
    0.055, 0.1, 0.25, 1.0, 5.0,
)  # fmt: skip
STATES: Mapping[State, int] = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """What one process counts. With several workers ``page`` adds up those of all."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # they double the page and say little
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "tinyclf_requests", "Answered requests by route and HTTP status.", ("route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "tinyclf_request_seconds", "From the request's head to its answer.", ("route",),
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip
        self._decisions = Counter(
            "tinyclf_decisions", "Decided labels.", ("head", "label", "source"), registry=registry
        )
        self._unsure = Counter("tinyclf_unsure", "Turns of which the student was unsure.", registry=registry)
        self._degraded = Counter(
            "tinyclf_degraded", "Decisions for which an LLM was wanted and not had.", registry=registry
        )
        self._cascade = Counter(
            "tinyclf_cascade", "How asking an LLM ended: answered, late, failed, busy, open.", ("outcome",),
            registry=registry,
        )  # fmt: skip
        self._breaker = Gauge(
            "tinyclf_breaker_state", "0 closed, 1 half-open, 2 open; of the worst worker.", ("lane",),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._opened = Gauge(
            "tinyclf_breaker_opened", "How often a breaker has opened.", ("lane",),
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.in_flight = Gauge(
            "tinyclf_requests_in_flight", "Requests that are being answered.", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.swaps = Counter(
            "tinyclf_bundle_swaps", "Attempts to switch to a new bundle: switched or refused.", ("result",),
            registry=registry,
        )  # fmt: skip
        self._bundle = Gauge(
            "tinyclf_bundle_info", "How many workers serve this bundle at this operating point.",
            ("name", "digest", "point"), registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.captured = Counter(
            "tinyclf_captured", "Unsure turns written to the capture file, or lost.", ("result",), registry=registry
        )
        self._last: tuple[str, str, str] | None = None
        # Looking a child up by its labels costs more than counting.
        self._request = cache(lambda route, status: self._requests.labels(route, str(status)).inc)
        self._request_time = cache(lambda route: self._seconds.labels(route).observe)
        self._decision = cache(lambda head, name, source: self._decisions.labels(head, name, source).inc)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered, well or not."""
        self._request(route, status)()
        self._request_time(route)(seconds)

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        for head, value in decision.labels.items():
            for name in as_tuple(value):
                self._decision(head, name, decision.source)()
        if Capture.wants(decision):
            self._unsure.inc()
        if decision.degraded:
            self._degraded.inc()

    def asked(self, outcome: Outcome) -> None:
        """Count how asking an LLM ended."""
        self._cascade.labels(outcome).inc()

    def breakers(self, breakers: Mapping[str, Breaker]) -> None:
        """Note the state of the breakers."""
        for lane, breaker in breakers.items():
            self._breaker.labels(lane).set(STATES[breaker.state])
            self._opened.labels(lane).set(breaker.opened)

    def serving(self, name: str, digest: str, point: str) -> None:
        """Note which bundle decides."""
        if self._last:
            self._bundle.labels(*self._last).set(0)
        self._last = (name, digest, point)
        self._bundle.labels(*self._last).set(1)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
