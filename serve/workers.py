"""Processes: one that serves, or several behind one socket, kept alive, told to swap and stopped together."""

import contextlib
import copy
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from serve.app import create_app
from serve.metrics import FOLDER
from serve.settings import Settings
from serve.signals import SWAP

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: a child thinks longer than uvicorn's 5 before it speaks again."""
STOPPING = 10
"""Seconds that requests get to end once nothing new is accepted."""
LOOP = "asyncio"
"""uvloop does a twentieth more requests, but writes the answers of a round at its end, in no order: with 20 users its
P99 is twice the median, with asyncio hardly above it."""
START = 60
"""Seconds that a worker may take to start, or to answer that it lives, on a busy machine."""


def serve(settings: Settings, host: str, port: int, workers: int, level: str) -> None:
    """Serve until stopped; the base URL is printed when it is ready. ``SystemExit`` when it cannot start."""
    logging_config = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    logging_config["loggers"]["tinyclf"] = {"handlers": ["default"], "level": level.upper(), "propagate": False}
    config = uvicorn.Config(
        partial(create_app, settings), factory=True, workers=workers, log_config=logging_config, log_level=level,
        access_log=False, loop=LOOP,
        server_header=False, proxy_headers=False, timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=STOPPING, lifespan="on",
        ws="none", timeout_worker_healthcheck=START,
    )  # fmt: skip
    with _listening(host, port) as listener:
        found, number = listener.getsockname()[:2]
        url = f"http://{f'[{found}]' if ':' in found else found}:{number}"
        if workers == 1:
            with contextlib.suppress(KeyboardInterrupt):  # it has stopped as it should
                _Server(config, url).run([listener])
            return
        with tempfile.TemporaryDirectory(prefix="tinyclf-metrics-") as folder:
            os.environ[FOLDER] = folder
            several = _Workers(config, [listener], url)
            several.run()
            if any(process.exitcode == STARTUP_FAILURE for process in several.processes):
                raise SystemExit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """One process."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._url, flush=True)


class _Workers(Multiprocess):
    """Several processes. uvicorn starts another for one that died; here they are told to swap too."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], url: str) -> None:
        super().__init__(config, sockets)
        self._url = url

    def init_processes(self) -> None:
        """Start all and wait until they serve."""
        super().init_processes()
        if all(process.wait_until_ready(START, self.should_exit) for process in self.processes):
            print(self._url, flush=True)

    def keep_subprocess_alive(self) -> None:
        """Replace those that died."""
        with self._forgetting():
            super().keep_subprocess_alive()

    def restart_all(self) -> None:
        """Replace all, one by one."""
        with self._forgetting():
            super().restart_all()

    @contextlib.contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Forget the gauges of processes that have been replaced."""
        before = {process.pid for process in self.processes}
        yield
        for gone in before - {process.pid for process in self.processes}:
            if gone:
                mark_process_dead(gone)  # type: ignore[no-untyped-call]

    def handle_usr1(self) -> None:
        """Pass the signal on to those that can take it; one that is starting reads the new bundle anyway."""
        for process in self.processes:
            if SWAP and process.pid and process.is_ready(timeout=1):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.Signals(SWAP))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket that workers can share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only for sockets that name their protocol; with it answers take 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise SystemExit(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from None
        listener.set_inheritable(True)
        yield listener
