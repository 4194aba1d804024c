"""One row, tried until it is answered or given up; the same code for every engine."""

from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from distill.journal import Entry
from tinyclf import Turn
from tinyclf.errors import LlmError
from tinyclf.llm import Answer, Labeller

JITTER = wait_random_exponential(multiplier=0.25, max=20)
"""Full jitter: anything up to 0.25, 0.5, 1, ... seconds (Brooker, "Exponential Backoff And Jitter", AWS, 2015)."""


async def attempt(labeller: Labeller, key: str, turn: Turn, attempts: int) -> Entry:
    """An entry for the journal: the answer, or the reason why there is none after so many attempts.

    Raises ``LlmError`` only when it is fatal, for then no other row would fare better.
    """
    tries = 0
    try:
        async for tried in AsyncRetrying(
            stop=stop_after_attempt(attempts), wait=_wait, retry=retry_if_exception(_may_pass), reraise=True
        ):
            with tried:
                tries += 1
                return {"key": key, **_costs(await labeller(turn)), "attempts": tries}
    except LlmError as error:
        if error.fatal:
            raise
        return {"key": key, "error": error.reason, "attempts": tries}
    raise AssertionError("unreachable: the loop returns or raises")


def _wait(state: RetryCallState) -> float:
    """As long as the server asked for, and jitter on top, so that rows do not come back all at once."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, LlmError) else None
    return (asked or 0.0) + JITTER(state)


def _may_pass(error: BaseException) -> bool:
    """A rejected request is rejected again; all else may be luck."""
    return isinstance(error, LlmError) and not error.fatal and error.reason != "rejected"


def _costs(answer: Answer) -> dict[str, Any]:
    raw = {key: [[round(p, 6) for p in row] for row in rows] for key, rows in answer.raw.items()}
    return {
        "raw": raw,
        "mass": None if answer.mass is None else round(answer.mass, 6),
        "ms": round(answer.milliseconds, 1),
        "tokens": [answer.tokens_in, answer.tokens_cached, answer.tokens_out],
    }
