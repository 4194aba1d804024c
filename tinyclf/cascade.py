"""The cascade: the student decides, an LLM is asked where it is unsure, and nobody waits past the deadline."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self

from tinyclf.background import Background
from tinyclf.breaker import Breaker
from tinyclf.classifier import Classifier
from tinyclf.decision import Decision
from tinyclf.race import Lane, Llm, Outcome, Race
from tinyclf.turn import Turn

RESERVE = 0.008
"""Seconds of the deadline, at most a fifth of it, kept from the LLM: a busy event loop is late for its timers."""
CLOSING = 5.0
"""Seconds that closing may take."""
GRACE = 0.002
"""Seconds that a thread waits beyond the deadline for its background loop, which keeps the deadline itself."""


class Cascade:
    """Decides with the student, and asks an LLM when the student is unsure at its operating point.

    ``deadline``: seconds for a whole decision; the LLM gets what the student leaves of it, less a reserve. Past that
    the student's guess stands, with ``degraded`` set. So it does when the LLM fails, when its ``breaker`` is open, and
    when ``in_flight`` calls are under way already: there is no queue. A half-open breaker's probe goes out beside the
    decision, so that nobody waits for an LLM that may still be down. ``hedge``: a second LLM on another server, asked
    too when the first has not answered after ``hedge_after`` seconds, and at once when it fails. ``observe`` is told
    how each question ended.

    In an event loop ``await cascade.decide(...)``, from threads ``cascade(...)``; one cascade serves one event loop or
    threads, not both. Closing it closes its LLMs.

    >>> llm = Labeller(default_labels(), BACKENDS["vllm"], "microsoft/Phi-3-mini-4k-instruct", order_count=1)
    >>> async with Cascade(Classifier.load(), llm) as cascade:
    ...     decision = await cascade.decide("con làm được rồi")
    """

    def __init__(
        self,
        classifier: Classifier,
        llm: Llm,
        deadline: float = 0.05,
        *,
        in_flight: int = 4,
        breaker: Breaker | None = None,
        hedge: Llm | None = None,
        hedge_after: float = 0.02,
        hedge_breaker: Breaker | None = None,
        observe: Callable[[Outcome], None] | None = None,
    ) -> None:
        if deadline <= 0 or in_flight < 1:
            raise ValueError("the deadline is above 0 and in_flight at least 1")
        if hedge is not None and _server(hedge) == _server(llm):
            raise ValueError("the hedge must be on another server: asking a slow one twice makes it slower")
        self.classifier, self.deadline = classifier, deadline
        self.lanes = [Lane(llm, breaker or Breaker())]
        if hedge is not None:
            self.lanes.append(Lane(hedge, hedge_breaker or Breaker()))
        self._reserve = min(RESERVE, deadline / 5)
        self._race = Race(self.lanes, classifier.labels, in_flight, hedge_after, deadline - self._reserve)
        self._observe = observe
        self._background = Background()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    async def decide(self, utterance: str, previous: str = "", reply: str = "") -> Decision:
        """Decide one turn within the deadline. Raises ``InputError`` when a segment is no ``str``."""
        start = perf_counter_ns()
        guess = self.classifier(utterance, previous, reply)
        return await self.ask(guess, Turn(utterance, previous, reply), start) if self.wants(guess) else guess

    def __call__(self, utterance: str, previous: str = "", reply: str = "") -> Decision:
        """The same from a thread that runs no event loop."""
        start = perf_counter_ns()
        guess = self.classifier(utterance, previous, reply)
        if not self.wants(guess):
            return guess
        asking = self._background.start(self.ask(guess, Turn(utterance, previous, reply), start))
        try:
            return asking.result(self.deadline + GRACE - (perf_counter_ns() - start) / 1e9)
        except FutureTimeoutError:
            return self._alone(guess, start, "late") if asking.cancel() else asking.result()

    @staticmethod
    def wants(guess: Decision) -> bool:
        """Whether an LLM is to be asked: the student decided, but not every head reaches its threshold."""
        return not guess.sure and guess.source == "student"

    async def ask(self, guess: Decision, turn: Turn, start: int) -> Decision:
        """The teacher's decision, or in its absence the guess; ``start``: when it began, by ``perf_counter_ns``."""
        self._check_loop()
        classifier = self.classifier  # which may be exchanged for one of the same labels while the LLM thinks
        rows, outcome = await self._race(turn, self.deadline - self._reserve - (perf_counter_ns() - start) / 1e9)
        if rows is None:
            return self._alone(guess, start, outcome)
        if self._observe:
            self._observe(outcome)
        return classifier.decided(rows, "teacher", start)

    async def aclose(self) -> None:
        """Give up what is under way and close the LLMs."""
        await self._race.aclose()
        for lane in self.lanes:
            if close := getattr(lane.llm, "aclose", None):
                await close()

    def close(self) -> None:
        """The same, for use from threads."""
        with contextlib.suppress(FutureTimeoutError):  # an LLM that will not be cancelled
            self._background.start(self.aclose()).result(CLOSING)
        self._background.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.close()

    def _alone(self, guess: Decision, start: int, outcome: Outcome) -> Decision:
        if self._observe:
            self._observe(outcome)
        return replace(guess, degraded=True, microseconds=(perf_counter_ns() - start) / 1000)

    def _check_loop(self) -> None:
        """Connections belong to the event loop that opened them."""
        running = asyncio.get_running_loop()
        with self._lock:
            self._loop = self._loop or running
        if self._loop is not running:
            raise RuntimeError("one cascade serves one event loop, or threads: make another Cascade for this one")


def _server(llm: Llm) -> object:
    """Where an LLM is asked, or which object it is where it does not tell."""
    return getattr(llm, "url", id(llm))
