"""The engine for many machines: Ray Data spreads the rows over workers, and goes on after a kill."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distill.job import Job
from distill.journal import Entry, Journal
from distill.ray_engine_cluster import cluster, with_key
from distill.ray_engine_exchange import Exchange
from distill.table import KEY
from distill.teacher import Teacher
from tinyclf.errors import DataError, LlmError

POLL_SECONDS = 0.25
DRAIN_SECONDS = 5.0
"""So long may the workers finish what is in flight when the job is stopped."""
LEAST_BLOCK, MOST_BLOCK = 2, 256
"""Rows a block: what is lost of a block that a kill cuts off is asked again."""
BLOCKS_AT_ONCE = 2
"""So many blocks a worker has open, so that the last row of one keeps none of the next waiting."""


def run_on_ray(
    job: Job, journal: Journal, workers: int, concurrency: int, attempts: int, each: Callable[[Entry], None]
) -> None:
    """Label every turn and append its entry to the journal, on the cluster at ``RAY_ADDRESS`` or on this machine.

    The workers read a queue and write parts in the job's folder under ``ray/``; on a cluster that folder must be on
    storage that all nodes share, and the nodes need the packages of the extras ``llm`` and ``ray``. The queue holds
    what children said; it is removed when all its rows are done. Run after a kill, this finishes the queue that was
    left, then asks what else is new.

    Raises ``LlmError`` when the server refuses all rows alike, ``DataError`` when Ray is missing or breaks down.
    """
    exchange = Exchange((job.folder / "ray" / job.fingerprint[:16]).resolve())
    exchange.collect(journal, each)
    if not any(True for _ in job.asks(journal)):
        exchange.clear()
        return
    workers = min(workers, concurrency)
    crew = Crew(with_key(job.teacher), workers, concurrency // workers, attempts)
    with cluster():
        if not (left := exchange.queue.exists()):
            exchange.fill(job.asks(journal))
        _empty(exchange, crew, journal, each)
        new = (ask for ask in job.asks(journal) if journal.status(ask[0]) == "not asked yet")
        if left and exchange.fill(new):
            _empty(exchange, crew, journal, each)


@dataclass(frozen=True, slots=True)
class Crew:
    """Who asks: how many workers, each with how many rows in flight."""

    teacher: Teacher
    workers: int
    slots: int
    attempts: int


def _empty(exchange: Exchange, crew: Crew, journal: Journal, each: Callable[[Entry], None]) -> None:
    """Ask all rows of the queue that are in no part yet; the journal gets each part as soon as it is whole."""
    exchange.fatal.unlink(missing_ok=True)
    broken: list[Exception] = []
    done = threading.Event()  # not the thread's own join: after a Ctrl-C in it Python 3.11 takes the thread for ended

    def write() -> None:
        try:
            _entries(exchange, crew).write_parquet(str(exchange.parts))
        except Exception as error:
            broken.append(error)
        finally:
            done.set()

    threading.Thread(target=write, daemon=True).start()
    try:
        while not done.wait(POLL_SECONDS):
            exchange.collect(journal, each)
            if exchange.fatal.exists():
                done.wait(DRAIN_SECONDS)
                break
    except KeyboardInterrupt:
        exchange.stop(LlmError("stopped", "stopped by hand"))
        done.wait(DRAIN_SECONDS)
        raise
    finally:
        exchange.collect(journal, each)
    exchange.raise_fatal()
    if broken:
        raise DataError(
            f"Ray broke down: {type(broken[0]).__name__}; see its logs (/tmp/ray/session_latest/logs on each node). "
            "The same command goes on."
        ) from None
    exchange.clear()


def _entries(exchange: Exchange, crew: Crew) -> Any:
    """The Ray dataset of all entries that are still to be made."""
    from ray.data import ActorPoolStrategy, DataContext, read_parquet
    from ray.data.checkpoint import CheckpointConfig

    from distill.ray_engine_worker import Worker

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.checkpoint_config = CheckpointConfig(
        id_column=KEY, checkpoint_path=str(exchange.checkpoint), delete_checkpoint_on_success=False
    )
    queue = read_parquet(str(exchange.queue))
    return queue.repartition(target_num_rows_per_block=min(max(crew.slots, LEAST_BLOCK), MOST_BLOCK)).map_batches(
        Worker,
        # A bound method: Ray shows arguments in its dashboard, and a teacher has a key.
        fn_constructor_args=(crew.teacher.labeller, exchange, crew.slots, crew.attempts),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(
            size=crew.workers,
            max_tasks_in_flight_per_actor=BLOCKS_AT_ONCE,
            max_concurrent_calls_per_actor=BLOCKS_AT_ONCE,
        ),
        num_cpus=0,  # a worker only waits for the server
    )
