"""One row, tried until it is answered or given up; the same code for every engine."""

import asyncio
import random
from typing import Any

from distill.journal import Entry
from tinyclf import Turn
from tinyclf.errors import LlmError
from tinyclf.llm import Answer, Labeller

FIRST_WAIT, LONGEST_WAIT = 0.25, 20.0
LONGEST_PAUSE = 1800.0
"""Seconds that a job waits when a server asks for it; for longer it is better to come back."""
UNUSABLE = ("off-label", "conflict", "not-json", "truncated")
"""The server works, but the model's answer is of no use."""
TALKS = 6
"""A model asked at temperature 0 mostly says the same again: so often is an unusable answer given another chance."""


async def attempt(labeller: Labeller, key: str, turn: Turn, attempts: int) -> Entry:
    """An entry for the journal: the answer, or the reason why there is none after so many attempts.

    Raises ``LlmError`` only when it is fatal, for then no other row would fare better.
    """
    unusable = 0
    for tries in range(1, attempts + 1):
        try:
            return {"key": key, **_costs(await labeller(turn)), "attempts": tries, "server": labeller.server}
        except LlmError as error:
            if error.fatal:
                raise
            unusable += error.reason in UNUSABLE
            if (error.retry_after or 0.0) > LONGEST_PAUSE:
                pause = f"the server asks to wait {error.retry_after:,.0f} s: run the same command again after that"
                raise LlmError(error.reason, pause, fatal=True) from None
            if tries == attempts or unusable == TALKS or error.reason in ("rejected", "refused"):
                return {"key": key, "error": error.reason, "attempts": tries, "server": labeller.server}
            if error.reason not in UNUSABLE:
                await asyncio.sleep((error.retry_after or 0.0) + _jitter(tries))
    raise ValueError(f"attempts must be at least 1, not {attempts}")


def _jitter(tries: int) -> float:
    """Anything up to 0.25, 0.5, 1, ... seconds, so that rows do not come back all at once.

    Full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)))


def _costs(answer: Answer) -> dict[str, Any]:
    raw = {key: [[round(p, 6) for p in row] for row in rows] for key, rows in answer.raw.items()}
    return {
        "raw": raw,
        "mass": None if answer.mass is None else round(answer.mass, 6),
        "ms": round(answer.milliseconds, 1),
        "tokens": [answer.tokens_in, answer.tokens_cached, answer.tokens_out],
    }
