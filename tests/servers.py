"""Servers as processes of their own, for tests: the service, the stub of an LLM, and a real one."""

import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil

ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def process(*command: str, log: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A Python process that prints its address in its first line; the address and the process."""
    with log.open("w") if log else contextlib.nullcontext(subprocess.DEVNULL) as errors:
        started = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        )
        try:
            assert started.stdout is not None
            address = started.stdout.readline().strip()
            assert address, "the server did not start"
            yield address, started
        finally:
            for child in psutil.Process(started.pid).children(recursive=True) if started.poll() is None else []:
                child.kill()
            started.kill()
            started.wait()


@contextlib.contextmanager
def service(*options: object) -> Iterator[str]:
    """``python -m serve``; yields its base URL."""
    with process("-m", "serve", "--port", "0", "--drain-s", "0", *map(str, options)) as (url, _):
        yield url


@contextlib.contextmanager
def stub_server(latency: float = 0.0, stall: float = 30.0, port: float = 0, **faults: float) -> Iterator[str]:
    """The stub; yields its base URL. ``faults`` as in ``benchmarks.stub_llm``, with an underscore before digits."""
    wanted = json.dumps({name.strip("_").replace("_", "-"): rate for name, rate in faults.items()})
    options = ("--latency", str(latency), "--stall", str(stall), "--port", str(int(port)), "--faults", wanted)
    with process("-m", "benchmarks.stub_llm", *options) as (url, _):
        yield url


@contextlib.contextmanager
def llama_server() -> Iterator[str]:
    """SmolLM2-135M on llama.cpp; yields its base URL."""
    with process("-m", "benchmarks.local_llm") as (url, _):
        yield url


def stats(url: str) -> dict[str, Any]:
    """What a stub was asked so far."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:  # noqa: S310
        found: dict[str, Any] = json.load(reply)
    return found


def figure(url: str, name: str) -> float:
    """A figure of the metrics page, 0 where it is not there yet."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", httpx2.get(f"{url}/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds; a busy machine may take its time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
