"""The load generator against a small server over real sockets: what it sees of a stall, and how it counts errors."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.load import HOST, Generator, Load, request
from benchmarks.points import REFUSED, RESET, TIMEOUT, errors, summary
from benchmarks.soak_report import judge
from benchmarks.stub_llm import OLD_SERVICE, drawn

STALL = 0.4
BODY = b'{"source":"teacher","degraded":true,"microseconds":1250.0}'


class SmallServer:
    """Answers by path: well, in two pieces, with a failure, or not at all. It stands still once where told to."""

    def __init__(self) -> None:
        self.stall_after, self.answered = -1, 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
                await reader.readexactly(2)
                self.answered += 1
                if self.answered == self.stall_after:
                    time.sleep(STALL)
                if path == b"/mute":
                    await asyncio.sleep(60)
                if path == b"/drop":
                    break
                status = b"503 busy" if path == b"/busy" else b"200 OK"
                close = b"Connection: close\r\n" if path == b"/close" else b""
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n" % (status, len(BODY), close) + BODY[:9])
                await asyncio.sleep(0)
                writer.write(BODY[9:])
                if close:
                    break
        writer.close()


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    with Generator() as running:
        yield running


@pytest.fixture
def server() -> Iterator[tuple[SmallServer, int]]:
    small, loop = SmallServer(), asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(small.answer, HOST, 0, backlog=1024))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield small, listening.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def asking(*paths: str) -> list[bytes]:
    return [request("POST", path, b"{}") for path in paths]


def test_a_stall_shows_in_many_requests_of_the_open_loop_and_in_few_of_the_closed_one(
    generator: Generator, server: tuple[SmallServer, int]
) -> None:
    small, port = server
    small.stall_after = 40
    held_up = {}
    for name, load in (
        ("closed", Load(port, asking("/"), 0.8, users=2, warm_up=0)),
        ("open", Load(port, asking("/"), 0.8, rate=200, warm_up=0)),
    ):
        small.answered = 0
        points = generator(load)
        assert not errors(points)
        assert points.latency.max() >= STALL * 1000 * 0.9
        held_up[name] = int((points.latency > STALL * 1000 / 2).sum())
    assert 1 <= held_up["closed"] <= 8  # one for each user; more only where the machine itself stood still
    assert held_up["open"] >= 30  # all that were due in the first half of the stall


def test_the_open_loop_keeps_its_schedule_and_drops_the_warm_up(
    generator: Generator, server: tuple[SmallServer, int]
) -> None:
    points = generator(Load(server[1], asking("/"), 0.4, rate=100, warm_up=0.2))
    assert len(points.begin) == 40
    assert np.sort(points.begin) == pytest.approx(np.arange(40) / 100, abs=1e-6)
    assert (points.late >= 0).all()
    assert (points.latency >= points.late).all()


def test_errors_are_counted_by_kind_and_not_raised(generator: Generator, server: tuple[SmallServer, int]) -> None:
    paths = ("/", "/busy", "/drop", "/mute")
    points = generator(Load(server[1], asking(*paths), 0.5, users=4, warm_up=0, timeout=0.2))
    for which, status in enumerate((200, 503, RESET, TIMEOUT)):
        assert set(points.status[points.which == which].tolist()) == {status}, paths[which]
    assert set(errors(points)) == {"HTTP 503", "reset", "timeout"}
    assert sum(errors(points).values()) == (points.status != 200).sum()
    assert points.latency[points.status == TIMEOUT].min() >= 200


def test_a_server_that_is_not_there_refuses_every_request(generator: Generator) -> None:
    with socket.socket() as holder:  # bound, but not listening
        holder.bind((HOST, 0))
        points = generator(Load(holder.getsockname()[1], asking("/"), 0.2, rate=100, warm_up=0))
        assert points.status.tolist() == [REFUSED] * 20
        assert errors(generator(Load(holder.getsockname()[1], asking("/"), 0.1, users=2, warm_up=0))).keys() == {
            "refused"
        }


def test_answers_are_read_and_figures_agree_with_numpy(generator: Generator, server: tuple[SmallServer, int]) -> None:
    points = generator(Load(server[1], asking("/", "/close"), 0.3, users=3, warm_up=0))
    assert not errors(points)  # a connection that the server closes is not used again
    assert set(points.source.tolist()) == {"teacher"}
    assert points.degraded.all()
    assert set(points.inside.tolist()) == {1.25}
    found = summary(points, 0.3)
    assert found["n"] == len(points.latency)
    for name, q in (("p50", 50), ("p95", 95), ("p99", 99), ("p99.9", 99.9), ("max", 100)):
        assert found[name] == pytest.approx(np.percentile(points.latency, q), abs=1e-3)


def test_the_stub_draws_the_old_services_latencies() -> None:
    assert [drawn(OLD_SERVICE, share) for share in (0.5, 0.99, 1.0)] == pytest.approx([0.075, 0.430, 21.0])
    shares = [drawn(OLD_SERVICE, share) for share in np.linspace(0, 1, 1000)]
    assert shares == sorted(shares)


@pytest.mark.parametrize(("last", "holds"), [(100.0, True), (104.0, True), (107.0, False)])
def test_the_soak_judges_memory_by_its_last_tenth(last: float, holds: bool) -> None:
    samples = [[second, 100.0 if second < 540 else last, 20] for second in range(0, 600, 5)]
    windows = [
        {"phase": "healthy", "from": i * 30, "p99": 10.0 + i % 2, "errors": {"reset": 1} if i == 3 else {}}
        for i in range(20)
    ]
    found = judge({"samples": samples, "windows": windows, "minutes": 10})
    memory, drift, lost = (verdict for _, _, verdict in found["verdicts"])
    assert (memory == "holds") is holds
    assert (drift, lost) == ("holds", "missed")
