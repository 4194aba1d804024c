"""The systems under test, each with servers of its own: processes on this machine, stopped with the block."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.load import HOST
from benchmarks.stress_turns import chat_requests, classify_requests
from tinyclf import Turn

ROOT = Path(__file__).parent.parent
DEADLINE_MS = 50
HEALTHY, SLOW = 0.02, 0.43
START = 60.0
"""Seconds that a server may take to be ready on a busy machine."""
SLOW_SECONDS = 3.0
NEVER_OPEN = ("--llm-failure-rate", "2")


class Server:
    """A process that serves HTTP on this machine: ``python -m COMMAND``, ready when it has printed its address.

    ``log`` gets its standard error; ``SystemExit`` shows the end of it when the server does not start.
    """

    def __init__(self, log: Path, *command: str) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
            )
        assert self._process.stdout is not None  # noqa: S101
        self.url, self.pid = self._process.stdout.readline().strip(), self._process.pid
        if not self.url:
            self.kill()
            raise SystemExit(f"python -m {' '.join(command)} did not start:\n{log.read_text()[-2000:]}")
        self.port = urlsplit(self.url).port or 0

    def kill(self) -> None:
        """End the process and its children at once; nothing is left to drain in a benchmark."""
        if self._process.poll() is None:
            for process in (psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()

    def metric(self, name: str) -> float:
        """A figure of ``/metrics``, such as ``tinyclf_breaker_opened``, added up over its labels; 0 without it."""
        page = fetch(f"http://{HOST}:{self.port}/metrics")
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE))


@contextlib.contextmanager
def server(log: Path, *command: str) -> Iterator[Server]:
    """A server that ends with the block."""
    running = Server(log, *command)
    try:
        yield running
    finally:
        running.kill()


@dataclass(frozen=True, slots=True)
class System:
    """Something that answers turns, and the requests that it is asked with.

    ``fails``: its LLM cannot answer in time, so that its breaker opens. ``most_users``, ``most_rate`` and ``rounds``
    keep the load within what its LLM can do at all; ``slow``: so few answers that it is warmed up once, beforehand, and
    gets at least ``SLOW_SECONDS`` a point.
    """

    name: str
    words: str
    server: Server
    requests: Sequence[bytes]
    fails: bool = False
    most_users: int = 1_000_000
    most_rate: float = 1_000_000.0
    rounds: int = 1_000_000
    slow: bool = False


STUDENT, DROP_IN = "student", "drop-in chat"
LLM_GOOD, LLM_SLOW, LLM_DEAD, LLM_MUTE = "LLM healthy", "LLM slow", "LLM dead", "LLM black hole"
HELD = "LLM slow, breaker held"
OLD, OLD_REAL = "LLM only, old profile", "LLM only, SmolLM2"


def start_systems(stack: contextlib.ExitStack, logs: Path, turns: Sequence[Turn], *, real: bool) -> list[System]:
    """Start all of them; the LLMs that are to fail do so once their cascades have met them in good health.

    ``real``: with the real local LLM.
    """

    def start(*command: str) -> Server:
        return stack.enter_context(server(logs / f"{command[0]}.log", *command))

    def stub(latency: float, *options: str) -> Server:
        return start("benchmarks.stub_llm", "--latency", str(latency), *options)

    def cascade(llm: Server, *options: str) -> Server:
        running = start(*cascade_command(llm.url, *options))
        wait_until_met(llm)
        return running

    own, chat = classify_requests(turns), chat_requests(turns)
    alone = start("serve", "--port", "0", "--log-level", "warning")
    healthy, slow, held, dead = stub(HEALTHY), stub(SLOW), stub(SLOW), stub(HEALTHY)
    mute = stub(HEALTHY, "--grace", "1", "--faults", '{"timeout": 1}', "--stall", "36000")
    late = f"an LLM that answers after {SLOW * 1000:g} ms"
    found = [
        System(STUDENT, "`python -m serve`, without an LLM", alone, own),
        System(DROP_IN, "the same server, `POST /v1/chat/completions` with today's body", alone, chat),
        System(LLM_GOOD, f"cascade, an LLM that answers after {HEALTHY * 1000:g} ms", cascade(healthy), own),
        System(LLM_SLOW, f"cascade, {late}", cascade(slow), own, fails=True),
        System(HELD, f"cascade, {late}; its breaker never opens", cascade(held, *NEVER_OPEN), own),
        System(LLM_DEAD, "cascade, an LLM that has gone: connections are refused", cascade(dead), own, fails=True),
        System(LLM_MUTE, "cascade, an LLM that takes requests and never answers", cascade(mute), own, fails=True),
        System(
            OLD, "today's request straight to a stub with the old service's latencies",
            stub(0, "--profile", "old"), chat, most_rate=500,
        ),
    ]  # fmt: skip
    dead.kill()
    stack.enter_context(reserved(dead.port))
    if real:
        words = "today's request straight to SmolLM2-135M on llama.cpp, one thread"
        llm = start("benchmarks.local_llm")
        found.append(System(OLD_REAL, words, llm, chat, most_users=20, most_rate=0, rounds=1, slow=True))
    return found


def cascade_command(llm: str, *options: str) -> list[str]:
    """The command of a cascade with the LLM at a base URL."""
    return [
        "serve", "--port", "0", "--log-level", "warning", "--llm", "vllm", "--llm-url", llm, "--llm-model", "stub",
        "--deadline-ms", str(DEADLINE_MS), *options,
    ]  # fmt: skip


def wait_until_met(llm: Server) -> None:
    """Wait until a service has had an answer of the stub's to its first question."""
    until = time.monotonic() + START
    while not json.loads(fetch(f"http://{HOST}:{llm.port}/stats"))["asked"]:
        if time.monotonic() > until:
            raise SystemExit("a service has not asked its LLM anything: see its log")
        time.sleep(0.05)
    time.sleep(SLOW + 0.2)


@contextlib.contextmanager
def reserved(port: int) -> Iterator[None]:
    """Hold a port without listening, so that connections are refused and nobody else takes it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, port))
        yield


def fetch(url: str) -> str:
    """The body of a GET."""
    with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310
        return str(reply.read().decode())
