"""Watching: a bundle folder that changes is loaded, and gauges are kept up to date."""

import asyncio
from pathlib import Path

from serve.engine import Engine
from serve.service import Service

Print = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of every file: enough to see that something was written or moved there."""


async def watch(engine: Engine, service: Service, every: float) -> None:
    """Look every so many seconds, until cancelled.

    A folder is loaded once two looks see the same change, so that a copy under way is not read half. One that is
    refused is tried again when it changes again.
    """
    folder = engine.settings.bundle
    known = seen = fingerprint(folder)
    while True:
        await asyncio.sleep(every)
        engine.note(service.in_flight)
        now = fingerprint(folder)
        if now != known and now == seen and now:
            await engine.swap()
            known = now
        seen = now


def fingerprint(folder: Path | None) -> Print:
    """What the folder's files look like from outside; nothing where there is no folder."""
    try:
        paths = sorted(folder.iterdir()) if folder else []
        stats = [(path.name, path.stat()) for path in paths]
    except OSError:  # it is being replaced at this moment
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
