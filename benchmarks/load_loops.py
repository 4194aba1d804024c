"""The two ways to load a server.

Closed: each user sends its next request when it has its answer; a stall of the server stops the users too, and few
requests see it. Open: requests are sent on schedule whatever happens, and latency counts from the scheduled time, so
that a stall shows in every request that it held up (no coordinated omission).
"""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from benchmarks.load_connection import Connection
from benchmarks.points import REFUSED, TIMEOUT, Record

HOST = "127.0.0.1"
RETRY = 0.01
"""Seconds that a user of a closed loop waits after an error, so as not to spin."""
IDLE = 2.0
"""Seconds after which an idle connection is not used again: the server may be about to close it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent and how: ``users`` in a closed loop, or ``rate`` requests a second in an open one.

    ``requests`` are whole HTTP requests, sent in rotation. Those sent in the first ``warm_up`` seconds are not kept;
    ``seconds`` follow. ``timeout``: seconds until a request without an answer is given up and its connection closed.
    """

    port: int
    requests: Sequence[bytes]
    seconds: float
    users: int = 0
    rate: float = 0.0
    warm_up: float = 0.5
    timeout: float = 30.0


class _Loop:
    """What both loops share: connections, records, the time limit."""

    def __init__(self, load: Load) -> None:
        self.load, self.records, self.count = load, list[Record](), 0
        self.connections: set[Connection] = set()
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self.begin = perf_counter()
        self.end = self.begin + load.warm_up + load.seconds

    async def watch(self) -> None:
        """Give up requests that have waited too long."""
        while True:
            await asyncio.sleep(min(0.05, self.load.timeout / 4))
            latest = perf_counter() - self.load.timeout
            for connection in [c for c in self.connections if c.busy and c.sent < latest]:
                connection.fail(TIMEOUT)
            self.connections = {c for c in self.connections if not c.transport.is_closing()}

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            connection.transport.abort()

    def _next(self, connection: Connection | None, intended: float) -> None:
        """Send the next request, over a new connection where none is given."""
        which = self.count % len(self.load.requests)
        self.count += 1
        if connection:
            connection.send(self.load.requests[which], which, intended)
        else:
            task = asyncio.create_task(self._over_new(which, intended))
            self._tasks.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self.finished.done():
            self.finished.set_exception(error)

    async def _over_new(self, which: int, intended: float) -> None:
        started = perf_counter()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.load.timeout):
                _, connection = await loop.create_connection(lambda: Connection(self._done), HOST, self.load.port)
        except OSError as error:  # TimeoutError is one
            status = TIMEOUT if isinstance(error, TimeoutError) else REFUSED
            self.records.append(Record(intended, started, perf_counter(), status, which, b""))
            self._then(None)
        else:
            self.connections.add(connection)
            connection.send(self.load.requests[which], which, intended)

    def _done(self, connection: Connection, status: int, body: bytes) -> None:
        times = connection.intended, connection.sent, perf_counter()
        self.records.append(Record(*times, status, connection.which, body))
        if not connection.usable:
            connection.transport.close()
        self._then(connection if connection.usable else None)

    def _then(self, connection: Connection | None) -> None:
        """What comes after a request has ended; ``connection`` where it can be used again."""
        raise NotImplementedError


class Closed(_Loop):
    """Each user sends its next request when it has its answer."""

    def start(self) -> None:
        """Let all users begin."""
        self._users = self.load.users
        for _ in range(self.load.users):
            self._next(None, perf_counter())

    def _then(self, connection: Connection | None) -> None:
        if (now := perf_counter()) < self.end and connection:
            self._next(connection, now)
        elif now < self.end:
            asyncio.get_running_loop().call_later(RETRY, lambda: self._next(None, perf_counter()))
        else:
            self._users -= 1
            if not self._users:
                self.finished.set_result(None)


class Open(_Loop):
    """Requests leave on schedule; a connection is opened whenever all are busy.

    The clock is the system's interval timer, set anew for each request: event loops wake on whole milliseconds, which
    is too coarse to blame a server by.
    """

    def start(self) -> None:
        """Start the clock."""
        self._free: list[Connection] = []
        self._ended, self._total = 0, round((self.load.warm_up + self.load.seconds) * self.load.rate)
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, self._due)
        self._due()

    def close(self) -> None:
        """Stop the clock, too."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGALRM)
        super().close()

    def _due(self) -> None:
        """Send what is due, and wait for what is not."""
        while self.count < self._total:
            intended, now = self.begin + self.count / self.load.rate, perf_counter()
            if intended > now:
                signal.setitimer(signal.ITIMER_REAL, max(intended - now, 1e-6))
                return
            self._next(self._idle(now), intended)

    def _idle(self, now: float) -> Connection | None:
        """The connection that was used last; those that the server may be about to close are dropped."""
        while self._free:
            connection = self._free.pop()
            if connection.usable and connection.sent > now - IDLE:
                return connection
            connection.transport.close()
        return None

    def _then(self, connection: Connection | None) -> None:
        self._ended += 1
        if connection:
            self._free.append(connection)
        if self._ended == self._total:
            self.finished.set_result(None)
