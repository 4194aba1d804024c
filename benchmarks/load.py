"""A load generator in a process of its own: HTTP/1.1 over kept connections, in a closed or an open loop."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self

from benchmarks.load_loops import HOST, Closed, Load, Open
from benchmarks.points import Points, to_points

LOOP: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop

    LOOP = uvloop.new_event_loop
except ImportError:
    LOOP = asyncio.new_event_loop

__all__ = ["HOST", "Generator", "Load", "request", "send"]


class Generator:
    """The process that sends; it is started once and takes one load after another."""

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, load: Load) -> "Future[Points]":
        """Begin to send; the result is ready when every request has ended."""
        return self._pool.submit(send, load)

    def __call__(self, load: Load) -> Points:
        """Send, and wait for the end."""
        return self.start(load).result()


def request(method: str, path: str, body: bytes = b"", host: str = HOST) -> bytes:
    """The bytes of one HTTP/1.1 request with a JSON body."""
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def send(load: Load) -> Points:
    """Send a load from this process, in its main thread; every failure is counted, none is raised."""
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=LOOP) as runner:
            return runner.run(_send(load))
    finally:
        gc.enable()


async def _send(load: Load) -> Points:
    loop = Closed(load) if load.users else Open(load)
    watch = asyncio.create_task(loop.watch())
    try:
        loop.start()
        await loop.finished
    finally:
        watch.cancel()
        loop.close()
    kept = [record for record in loop.records if record.intended >= loop.begin + load.warm_up]
    return to_points(kept, loop.begin + load.warm_up)
