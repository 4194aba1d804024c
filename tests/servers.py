"""LLM servers as processes of their own, for tests: the stub, and a real one."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def _serving(*command: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the server did not start"
        yield address
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def stub_server(latency: float = 0.0, stall: float = 30.0, **faults: float) -> Iterator[str]:
    """The stub; yields its base URL. ``faults`` as in ``benchmarks.stub_llm``, with an underscore before digits."""
    wanted = json.dumps({name.strip("_").replace("_", "-"): rate for name, rate in faults.items()})
    options = ("--latency", str(latency), "--stall", str(stall), "--faults", wanted)
    with _serving("-m", "benchmarks.stub_llm", *options) as url:
        yield url


@contextlib.contextmanager
def llama_server() -> Iterator[str]:
    """SmolLM2-135M on llama.cpp; yields its base URL."""
    with _serving("-m", "benchmarks.local_llm") as url:
        yield url


def stats(url: str) -> dict[str, Any]:
    """What a stub was asked so far."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:  # noqa: S310
        found: dict[str, Any] = json.load(reply)
    return found
