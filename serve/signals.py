"""What a process does when it is told to stop, or to load its bundle anew."""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from serve.engine import Engine
from serve.service import Service

log = logging.getLogger("tinyclf.serve")
SWAP: signal.Signals | None = getattr(signal, "SIGUSR1", None)
"""There is none on Windows, where the bundle folder is watched all the same."""


@contextlib.contextmanager
def signals(engine: Engine, service: Service, drain: float) -> Iterator[None]:
    """Inside a server's event loop: swap on SIGUSR1, and drain before SIGTERM stops the server.

    While it drains, for ``drain`` seconds, ``/readyz`` says no and every answer closes its connection, so that clients
    go elsewhere before anything is shut in their faces.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    swaps: set[asyncio.Task[bool]] = set()
    stop = signal.getsignal(signal.SIGTERM)

    def swap() -> None:
        swaps.add(task := loop.create_task(engine.swap()))
        task.add_done_callback(swaps.discard)

    def begin_to_drain(number: int, frame: FrameType | None) -> None:
        log.info("draining for %g s", drain)
        service.draining = True
        if callable(stop):
            loop.call_soon_threadsafe(_later, loop, drain, stop, number)

    if SWAP:
        loop.add_signal_handler(SWAP, swap)
    signal.signal(signal.SIGTERM, begin_to_drain)
    yield
    if SWAP:
        loop.remove_signal_handler(SWAP)


def _later(loop: asyncio.AbstractEventLoop, wait: float, stop: Callable[..., object], number: int) -> None:
    loop.call_later(wait, stop, number, None)
