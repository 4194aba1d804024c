"""Members trained side by side, one process each, ahead of the loop that then finds them finished."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing.queues import SimpleQueue

import torch

from training.checkpoint import Progress

Told = tuple[int, Progress]
Teach = Callable[[int, Callable[[Progress], None]], object]
"""Trains one member to its end and keeps it in its folder; tells of every epoch."""

LOOK = 0.2
"""Seconds between two looks at what the processes tell."""
_told: "SimpleQueue[Told]"


def train_ahead(teach: Teach, members: Sequence[int], jobs: int, each_epoch: Callable[[int, Progress], None]) -> None:
    """Train the members, at most ``jobs`` at a time; ``teach`` is pickled, and leaves its work in the run folder.

    Processes are started afresh (spawn): torch's threads do not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    told: SimpleQueue[Told] = context.SimpleQueue()

    def tell() -> None:
        while not told.empty():
            each_epoch(*told.get())

    with ProcessPoolExecutor(min(jobs, len(members)), context, _begin, (told,)) as pool:
        running = {pool.submit(_one, teach, member) for member in members}
        try:
            while running:
                done, running = wait(running, LOOK)
                tell()
                for future in done:
                    future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
    tell()


def cores() -> int:
    """How many processes this one may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(told: "SimpleQueue[Told]") -> None:
    global _told
    _told = told
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process


def _one(teach: Teach, member: int) -> None:
    parent = multiprocessing.parent_process()

    def tell(progress: Progress) -> None:
        if parent is None or not parent.is_alive():
            os._exit(1)  # killed: whoever goes on from the checkpoint must not meet a second writer
        _told.put((member, progress))

    teach(member, tell)
