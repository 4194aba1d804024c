"""One HTTP/1.1 connection of the load generator, with no more parsing than it takes to find the end of an answer."""

import asyncio
import re
from collections.abc import Callable
from time import perf_counter
from typing import cast

from benchmarks.points import BROKEN, RESET

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
CLOSE = re.compile(rb"(?i)\r\nconnection: *close")


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time and calls ``done`` once for each."""

    transport: asyncio.Transport

    def __init__(self, done: Callable[["Connection", int, bytes], None]) -> None:
        self._done, self._buffer = done, b""
        self.busy, self.usable = False, True
        self.intended = self.sent = 0.0
        self.which = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, data: bytes, which: int, intended: float) -> None:
        """Send one request."""
        self.busy, self.which, self.intended, self.sent = True, which, intended, perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Wait until the whole answer is there."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(buffer, 0, end + 2)
        if not length or not buffer.startswith(b"HTTP/1.1 "):
            self.fail(BROKEN)
        elif len(buffer) >= end + 4 + int(length[1]):
            self._buffer = b""
            self.usable = not CLOSE.search(buffer, 0, end + 2)
            self._end(int(buffer[9:12]), buffer[end + 4 :])

    def connection_lost(self, error: Exception | None) -> None:
        """The server has closed it, or this side has."""
        self.usable = False
        self._end(RESET, b"")

    def fail(self, status: int) -> None:
        """Give the request up and close the connection at once."""
        self.usable = False
        self._end(status, b"")
        self.transport.abort()

    def _end(self, status: int, body: bytes) -> None:
        if self.busy:
            self.busy = False
            self._done(self, status, body)
