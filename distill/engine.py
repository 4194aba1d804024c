"""The engine for one machine: a fixed number of rows in flight, each written to the journal as soon as it is done."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from distill.attempt import attempt
from distill.journal import Entry, Journal
from distill.source import Item
from tinyclf import Turn
from tinyclf.errors import LlmError
from tinyclf.llm import Labeller

Ask = tuple[str, Turn]
"""The key of a turn, and the turn."""
GONE = 20
"""After so many rows in a row without a connection the server is taken to be gone, and the job stops."""


async def run(
    labeller: Labeller,
    asks: Iterable[Ask],
    journal: Journal,
    concurrency: int,
    attempts: int,
    each: Callable[[Entry], None] = lambda entry: None,
) -> None:
    """Label every turn and append its entry; nothing waits in memory but the rows in flight.

    Raises ``LlmError`` when the server refuses all rows alike; what was answered before is in the journal.
    """
    waiting, unreached = iter(asks), 0

    async def worker() -> None:
        nonlocal unreached
        for key, turn in waiting:
            entry = await attempt(labeller, key, turn, attempts)
            journal.add(entry)
            each(entry)
            unreached = unreached + 1 if entry.get("error") == "connection" else 0
            if unreached == GONE:
                raise LlmError("connection", f"{GONE} rows in a row found no server: is it still up?", fatal=True)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def pending(items: Iterable[Item], journal: Journal) -> Iterator[Ask]:
    """Each turn without an answer once, in the input's order; those that failed before are asked again."""
    seen: set[str] = set()
    for item in items:
        if item.key not in journal and item.key not in seen:
            seen.add(item.key)
            yield item.key, item.turn
