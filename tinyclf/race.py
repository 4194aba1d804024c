"""Asking LLMs against the clock: the first usable answer wins, and what is not needed any more is cancelled."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tinyclf.breaker import Breaker, Permit
from tinyclf.errors import LlmError
from tinyclf.labelset import LabelSet
from tinyclf.turn import Turn

Outcome = Literal["answered", "late", "failed", "busy", "open"]
"""How asking ended: with an answer, past the deadline, with errors, or not at all because too many turns were being
asked about, or because the breakers were open."""
Rows = list[list[float]]
LEAST_MASS = 0.05
"""A letter answer whose letters have less probability together is no answer to the question."""


class Teaches(Protocol):
    """What an LLM says of one turn; ``tinyclf.llm.Answer`` is one."""

    @property
    def mass(self) -> float | None:
        """How much probability the offered answers had together, where that is known."""

    def rows(self, labels: LabelSet) -> Rows:
        """Class probabilities, a row for each head."""


Llm = Callable[[Turn], Awaitable[Teaches]]
"""Anything that answers for a turn; ``tinyclf.llm.Labeller`` is one."""


@dataclass(frozen=True, slots=True)
class Lane:
    """An LLM and the breaker that keeps calls from it."""

    llm: Llm
    breaker: Breaker


class Race:
    """Asks the first lane, and the next when that one has failed, is left alone or lets ``hedge_after`` seconds pass.

    Hedging after Dean and Barroso, The Tail at Scale (2013); but a call that has lost the race is watched until its own
    deadline, so that a breaker learns of a server that always loses. ``in_flight``: how many calls may be under way;
    there is no queue. ``patience``: seconds that a call may take which nobody waits for.
    """

    def __init__(
        self, lanes: Sequence[Lane], labels: LabelSet, in_flight: int, hedge_after: float, patience: float
    ) -> None:
        self.lanes, self.in_flight = lanes, in_flight
        self._labels, self._hedge_after, self._patience = labels, hedge_after, patience
        self._under_way: set[asyncio.Task[Rows]] = set()

    async def __call__(self, turn: Turn, left: float) -> tuple[Rows | None, Outcome]:
        """Class probabilities by head, or ``None`` and why there are none after at most ``left`` seconds."""
        if left <= 0:
            return None, "late"
        now = asyncio.get_running_loop().time
        end, hedge_at = now() + left, now() + self._hedge_after
        rest, running = list(self.lanes), dict[asyncio.Task[Rows], Permit]()
        first = self._start(turn, rest, running)
        if not first:
            return None, "busy" if rest else "open"
        try:
            while running:
                wait = max((min(end, hedge_at) if rest else end) - now(), 0)
                done, _ = await asyncio.wait(running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (rows := _outcome(task, running.pop(task))) is not None:
                        for loser in list(running):
                            self._watch(loser, running.pop(loser), end - now())
                        return rows, "answered"
                if not done and (hedge_at >= end or not rest):
                    break
                if not done or not running:
                    self._start(turn, rest, running)
                    hedge_at = end  # where there was no room for it, there is no second attempt
            if first in running:  # a hedge that was asked late may have had too little time
                running[first].failed()
            return None, "late" if running else "failed"
        finally:
            for task, permit in running.items():
                task.cancel()
                permit.given_up()

    async def aclose(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    @property
    def _full(self) -> bool:
        return len(self._under_way) >= self.in_flight

    def _start(
        self, turn: Turn, rest: list[Lane], running: dict[asyncio.Task[Rows], Permit]
    ) -> asyncio.Task[Rows] | None:
        """Ask the next lane that may be asked; a half-open one is probed on the side, for it may still be down."""
        while rest and not self._full:
            lane = rest.pop(0)
            permit = lane.breaker.permit()
            if permit:
                task = self._spawn(lane.llm, turn)
                if not permit.probe:
                    running[task] = permit
                    return task
                self._watch(task, permit, self._patience)
        return None

    def _spawn(self, llm: Llm, turn: Turn) -> asyncio.Task[Rows]:
        """A call that counts as under way until it has really ended, even where it is slow to be cancelled."""
        task = asyncio.get_running_loop().create_task(_ask(llm, turn, self._labels))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Rows]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not log it: it may come after nobody waits any more

    @staticmethod
    def _watch(task: asyncio.Task[Rows], permit: Permit, seconds: float) -> None:
        """Let a call go on that nobody waits for, and tell its breaker how it ended."""

        def give_up() -> None:
            permit.failed()
            task.cancel()

        timer = asyncio.get_running_loop().call_later(max(seconds, 0), give_up)

        def ended(task: asyncio.Task[Rows]) -> None:
            timer.cancel()
            permit.given_up() if task.cancelled() else _outcome(task, permit)

        task.add_done_callback(ended)


async def _ask(llm: Llm, turn: Turn, labels: LabelSet) -> Rows:
    """The rows of a usable answer; ``LlmError`` when it is none, whoever made it."""
    answer = await llm(turn)
    if answer.mass is not None and not answer.mass >= LEAST_MASS:
        raise LlmError("off-label", f"the letters have only {answer.mass:.0%} of the probability")
    rows = answer.rows(labels)
    if len(rows) != len(labels.heads):
        raise LlmError("bad-body", "the answer is not about the heads of the label set")
    for head, row in zip(labels.heads, rows, strict=True):
        sound = len(row) == len(head.names) and all(math.isfinite(p) and 0 <= p <= 1 for p in row)
        if not sound or (head.kind == "one-of" and abs(sum(row) - 1) > 1e-3):
            raise LlmError("bad-body", f"head {head.name!r}: the answer is no distribution")
    return rows


def _outcome(task: asyncio.Task[Rows], permit: Permit) -> Rows | None:
    """The rows of a task that has ended, or ``None``; the permit learns which."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        permit.succeeded()
        return task.result()
    if isinstance(error, LlmError):
        permit.failed(error.retry_after, hopeless=error.fatal)
    else:
        permit.failed()
    return None
