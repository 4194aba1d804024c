"""One of Ray's workers: blocks of the queue in, blocks of journal entries out."""

import asyncio
import json
import traceback
from collections.abc import Callable

import pyarrow as pa

from distill.attempt import attempt
from distill.journal import Entry
from distill.ray_engine_exchange import ENTRY, PART, TURN, Exchange, unpacked
from distill.table import KEY
from tinyclf.errors import LlmError
from tinyclf.llm import Labeller


class Worker:
    """Asks about the rows of all blocks that it is given, at most ``slots`` rows at a time.

    It never raises, for Ray prints what was raised: a row that got no entry is left out, and stays in the queue.
    """

    def __init__(self, labeller: Callable[[], Labeller], exchange: Exchange, slots: int, attempts: int) -> None:
        self._labeller, self._exchange, self._attempts = labeller(), exchange, attempts
        self._slots = asyncio.Semaphore(slots)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """The entries of a block."""
        rows = zip(block[KEY].to_pylist(), block[TURN].to_pylist(), strict=True)
        entries = await asyncio.gather(*(self._entry(key, text) for key, text in rows))
        found = [{KEY: entry["key"], ENTRY: json.dumps(entry)} for entry in entries if entry]
        return pa.Table.from_pylist(found, PART)

    async def _entry(self, key: str, text: str) -> Entry | None:
        async with self._slots:
            if self._exchange.fatal.exists():
                return None
            try:
                return await attempt(self._labeller, key, unpacked(text), self._attempts)
            except LlmError as error:
                self._exchange.stop(error)
            except Exception as error:
                self._exchange.stop(LlmError("broken", f"a worker broke down: {_named(error)}"))
            return None


def _named(error: Exception) -> str:
    """Kind and place of an error; its text may quote the row."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
