"""The engine for one machine: a fixed number of rows in flight, each written to the journal as soon as it is done."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from distill.attempt import attempt
from distill.journal import Entry, Journal
from distill.source import Item
from tinyclf import Turn
from tinyclf.llm import Labeller

Ask = tuple[str, Turn]
"""The key of a turn, and the turn."""


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
    waiting = iter(asks)

    async def worker() -> None:
        for key, turn in waiting:
            entry = await attempt(labeller, key, turn, attempts)
            journal.add(entry)
            each(entry)

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
