"""What must not lose a request: bundle swaps, a killed worker and a rolling restart, all under load."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from benchmarks.load import Generator, Load
from benchmarks.points import Points, errors, joined, percentiles
from benchmarks.stress_systems import START, Server, fetch, server
from tinyclf.bundle import default_bundle, read_bundle, write_bundle

T = TypeVar("T")
USERS = 20


def swaps(generator: Generator, folder: Path, requests: list[bytes], count: int, seconds: float) -> dict[str, Any]:
    """Give a server another bundle ``count`` times while ``USERS`` users ask it.

    Two bundles take turns, which differ in their manifests alone; each swap counts once the server says that the other
    one decides.
    """
    bundle = read_bundle()
    contents = {name: (default_bundle() / name).read_bytes() for name in bundle.manifest["files"]}
    place = folder / "bundle"
    shutil.copytree(default_bundle(), place)

    def swap_all(running: Server) -> set[str]:
        seen = set()
        for number in range(count):
            write_bundle(place, {**bundle.manifest, "swap": number % 2}, contents)
            wanted = json.loads((place / "manifest.json").read_text())["sha256"][:12]
            os.kill(running.pid, signal.SIGUSR1)
            _wait(partial(_decides, running, wanted), "a bundle was not swapped")
            seen.add(wanted)
        return seen

    command = ("serve", "--port", "0", "--bundle", str(place), "--log-level", "warning")
    with server(folder / "swaps.log", *command) as running:
        points, seen = _during(generator, _load(running, requests, seconds), lambda: swap_all(running))
        switched = running.metric(r"tinyclf_bundle_swaps_total\{result=\"switched\"\}")
    return _figures(points) | {"swaps": count, "switched": int(switched), "bundles": len(seen)}


def kill(generator: Generator, folder: Path, requests: list[bytes], seconds: float) -> dict[str, Any]:
    """Kill one of two workers with SIGKILL while ``USERS`` users ask, and wait until another has taken its place."""

    def kill_one(running: Server) -> tuple[int, float]:
        time.sleep(seconds / 4)
        victim = max(_workers(running), key=lambda worker: _connections(worker, running))
        held, killed = _connections(victim, running), time.monotonic()
        victim.kill()
        for serving in (1, 2):
            _wait(partial(_serve, running, serving), "no worker took the place of the killed one")
        return held, time.monotonic() - killed

    with server(folder / "kill.log", "serve", "--port", "0", "--workers", "2", "--log-level", "warning") as running:
        points, (held, took) = _during(generator, _load(running, requests, seconds), lambda: kill_one(running))
    return _figures(points) | {"connections held": held, "seconds until replaced": round(took, 2)}


def restart(generator: Generator, folder: Path, requests: list[bytes], seconds: float) -> dict[str, Any]:
    """Restart both workers, one after another (SIGHUP), while ``USERS`` users ask."""

    def restart_both(running: Server) -> float:
        time.sleep(seconds / 4)
        before, began = _workers(running), time.monotonic()
        os.kill(running.pid, signal.SIGHUP)
        _wait(lambda: len(_workers(running)) == 2 and not _workers(running) & before, "the workers were not restarted")
        return time.monotonic() - began

    with server(folder / "restart.log", "serve", "--port", "0", "--workers", "2", "--log-level", "warning") as running:
        points, took = _during(generator, _load(running, requests, seconds), lambda: restart_both(running))
    return _figures(points) | {"seconds until restarted": round(took, 2)}


def _during(generator: Generator, load: Load, act: Callable[[], T]) -> tuple[Points, T]:
    """Send the load again and again until ``act``, in a thread beside it, is done; the last one ends after it."""
    with ThreadPoolExecutor(1) as pool:
        action = pool.submit(act)
        runs = [generator(load)]
        while not action.done():
            runs.append(generator(load))
        return joined(runs), action.result()


def _load(running: Server, requests: list[bytes], seconds: float) -> Load:
    return Load(running.port, requests, seconds, users=USERS, warm_up=0)


def _figures(points: Points) -> dict[str, Any]:
    return {
        "n": len(points.status), "lost": int((points.status != 200).sum()), "errors": errors(points),
        "users": USERS, **percentiles(points.answered.latency),
    }  # fmt: skip


def _decides(running: Server, digest: str) -> bool:
    return bool(json.loads(fetch(f"{running.url}/readyz"))["bundle"] == digest)


def _serve(running: Server, workers: int) -> bool:
    """Whether so many workers say that they serve."""
    return running.metric("tinyclf_bundle_info") == workers


def _workers(running: Server) -> set[psutil.Process]:
    """The children that serve; multiprocessing has one more, which tidies up."""
    children = psutil.Process(running.pid).children()
    return {child for child in children if "spawn_main" in " ".join(_command(child))}


def _connections(worker: psutil.Process, running: Server) -> int:
    try:
        found = worker.net_connections("tcp")
    except psutil.Error:
        return 0
    return sum(c.laddr.port == running.port and c.status == psutil.CONN_ESTABLISHED for c in found)


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _wait(done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + START
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"{what} within {START:g} s")
        time.sleep(0.05)
