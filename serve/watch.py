"""Watching: a bundle folder that changes is loaded, and gauges are kept up to date."""

import asyncio

from serve.engine import Engine
from serve.fingerprint import fingerprint
from serve.service import Service


async def watch(engine: Engine, service: Service, every: float) -> None:
    """Look every so many seconds, until cancelled.

    A folder is loaded once two looks see the same change, so that a copy under way is not read half. One that is
    refused is tried again when it changes again.
    """
    folder = engine.settings.bundle
    known = seen = engine.seen
    while True:
        await asyncio.sleep(every)
        engine.note(service.in_flight)
        now = fingerprint(folder)
        if now != known and now == seen and now:
            await engine.swap()
            known = now
        seen = now
