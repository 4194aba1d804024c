"""A circuit breaker: a backend that fails is left alone, and asked once in a while whether it is back."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]
MOST_WAIT = 60.0
"""Seconds that a server can ask to be left alone: a wrong word from it shall not switch it off for good."""
MOST_KEPT = 50
"""Outcomes that are looked at: with more, a long good past would hide a bad present."""


class Breaker:
    """Lets calls through while they succeed (Nygard, Release It!, 2007). Safe from many threads.

    It opens when ``least`` or more outcomes of the last ``window`` seconds are known (of the last 50 calls at most) and
    the share of failures reaches ``failure_rate``; at once when the server asked to be left alone or no other call
    would fare better. A rate above 1 never opens it. While it is open, nothing goes through. After ``open_for``
    seconds, or as many as the server asked for (a minute at most), one call goes through as a probe: its success closes
    the breaker, its failure opens it anew, and when it is given up the next call is the probe.
    """

    def __init__(
        self,
        failure_rate: float = 0.5,
        least: int = 10,
        window: float = 30.0,
        open_for: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failure_rate <= 0 or not 1 <= least <= MOST_KEPT or window <= 0 or open_for < 0:
            raise ValueError(f"failure_rate and window are above 0, least is 1 to {MOST_KEPT}, open_for is 0 or more")
        self.failure_rate, self.least, self.window, self.open_for = failure_rate, least, window, open_for
        self.opened = 0
        """How often it has opened."""
        self._clock, self._lock = clock, threading.Lock()
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=MOST_KEPT)
        self._open_until: float | None = None
        self._probe: Permit | None = None

    @property
    def state(self) -> State:
        """Closed, open, or half-open: the next call, or one under way, is the probe."""
        until = self._open_until
        if until is None:
            return "closed"
        return "open" if self._clock() < until else "half-open"

    def permit(self) -> "Permit | None":
        """Leave for one call, to be told how it ended; ``None`` when the backend shall be left alone."""
        with self._lock:
            if self._open_until is None:
                return Permit(self, False, self.opened)
            if self._clock() < self._open_until or self._probe:
                return None
            self._probe = Permit(self, True, self.opened)
            return self._probe

    def _ended(self, permit: "Permit", failed: bool | None, wait: float, hopeless: bool) -> None:
        with self._lock:
            if permit is self._probe:
                self._probe = None
                if failed:
                    self._open(wait)
                elif failed is not None:
                    self._open_until = None
            # What began before the breaker last opened tells nothing any more.
            elif failed is not None and permit.round == self.opened and self._open_until is None:
                self._outcomes.append((self._clock(), failed))
                if failed and self.failure_rate <= 1 and (wait or hopeless or self._too_many()):
                    self._open(wait)

    def _too_many(self) -> bool:
        since = self._clock() - self.window
        while self._outcomes[0][0] < since:
            self._outcomes.popleft()
        failures = sum(failed for _, failed in self._outcomes)
        return len(self._outcomes) >= self.least and failures >= self.failure_rate * len(self._outcomes)

    def _open(self, wait: float) -> None:
        self._outcomes.clear()
        self._open_until = self._clock() + max(min(wait, MOST_WAIT), self.open_for)
        self.opened += 1


class Permit:
    """Leave for one call. The first of its methods that is called tells how the call ended; later ones do nothing."""

    def __init__(self, breaker: Breaker, probe: bool, since: int) -> None:
        self.probe, self.round = probe, since
        self._breaker: Breaker | None = breaker

    def succeeded(self) -> None:
        """The backend gave a usable answer in time."""
        self._end(False)

    def failed(self, wait: float | None = None, *, hopeless: bool = False) -> None:
        """It gave none. ``wait``: seconds that it asked to be left alone. ``hopeless``: no other call fares better."""
        self._end(True, wait or 0.0, hopeless)

    def given_up(self) -> None:
        """Nobody waited for the end, so nothing is known."""
        self._end(None)

    def _end(self, failed: bool | None, wait: float = 0.0, hopeless: bool = False) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker:
            breaker._ended(self, failed, wait, hopeless)
