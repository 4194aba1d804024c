"""``python -m distill label --engine ray``: the labels of the asyncio engine, every row once, whatever is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.journal import Entry, Journal
from distill.ray_engine_exchange import ENTRY, QUEUE, TURN, Exchange, packed, unpacked
from distill.ray_engine_worker import Worker
from distill.table import KEY
from tests.conftest import small_rows, write_jsonl
from tests.servers import llama_server, stats, stub_server
from tinyclf import Turn
from tinyclf.errors import DataError, LlmError

pytest.importorskip("ray")
MARK = "zebraquux"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "distill", "label", *map(str, arguments)]


def label(*arguments: object, code: int = 0) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def table(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(out / "labels.parquet").to_pylist()
    return found


def journal_keys(out: Path) -> list[str]:
    lines = [line for path in (out / "journal").glob("*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line)["key"] for line in lines]


def queues(out: Path) -> list[Path]:
    return list((out / "ray").rglob("*queue.parquet*"))


def parts(out: Path) -> int:
    """How many parts Ray has finished."""
    return len([p for p in (out / "ray").glob("*/checkpoint/*.parquet") if ".pending" not in p.name])


def processes_of(session: int) -> list[int]:
    """All processes of a session that still run, Ray's included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, owner = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
        except OSError:
            continue
        if int(owner) == session and state != "Z":
            found.append(int(folder.name))
    return found


def kill_midway(arguments: list[str], out: Path, least: int) -> None:
    """Kill a job's whole process group, once so many parts are there; then wait until all that Ray left is gone."""
    job = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while parts(out) < least:
        assert job.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline, "no part in time"
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    while left := processes_of(job.pid):
        if time.monotonic() > deadline:
            for process in left:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """80 rows, one turn twice."""
    rows = [{**row, "utterance": f"{row['utterance']} {MARK} {i}"} for i, row in enumerate(small_rows(79))]
    return write_jsonl(tmp_path / "rows.jsonl", [*rows, {**rows[7], "id": "again"}])


def test_a_killed_job_ends_with_the_labels_of_the_other_engine_and_asks_little_twice(
    data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, plain, in_flight = tmp_path / "out", tmp_path / "plain", 4
    job = (data, "--labels", kitchen_files[1], "--backend", "openai", "--style", "json",
           "--attempts", 1, "--concurrency", in_flight)  # fmt: skip
    on_ray = ("--out", out, "--engine", "ray", "--workers", 2)
    with stub_server(latency=0.2, off_label=0.5) as url:
        kill_midway(command(*job, *on_ray, "--url", url), out, 6)
        asked = set(stats(url)["asked"])
    assert not (out / "labels.parquet").exists()
    assert queues(out)

    with stub_server() as url:
        said = label(*job, *on_ray, "--url", url, code=1)  # what failed before the kill has no labels yet
        asked_now = set(stats(url)["asked"])
    assert len(asked - asked_now) >= 6, "what stood in a part when it was killed is not asked again"
    assert len(keys := journal_keys(out)) == len(set(keys)) == 79
    failed = [row for row in table(out) if row["error"]]
    assert 2 < len(failed) < 40
    assert f"without labels: {len(failed)} off-label" in said
    assert not queues(out)

    with stub_server() as url:
        said += label(*job, *on_ray, "--workers", 1, "--url", url)
        assert sum(stats(url)["asked"].values()) <= len(failed) + 2, "only what failed, and the probe"
        label(*job, "--out", plain, "--url", url)
    assert [row["id"] for row in table(out)] == [json.loads(line)["id"] for line in data.read_text().splitlines()]
    ours, theirs = ([{k: v for k, v in row.items() if k != "latency_ms"} for row in table(o)] for o in (out, plain))
    assert ours == theirs
    assert not queues(out)
    assert MARK not in said
    assert "Traceback" not in said


def test_a_real_llm_labels_real_utterances_on_ray_and_survives_a_kill(
    kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    pytest.importorskip("xllamacpp")
    said = ["hot soup please", "a slice of cake", "hello there", "it rains", "walnut tart", "broth with cream",
            "open the door", "more cake", "almond soup", "good morning", "butter cake now", "my bowl"]  # fmt: skip
    data = write_jsonl(tmp_path / "rows.jsonl", [{"id": f"r-{i}", "utterance": text} for i, text in enumerate(said)])
    out = tmp_path / "out"
    with llama_server() as url:
        job = (data, "--out", out, "--labels", kitchen_files[1], "--backend", "llamacpp", "--url", url,
               "--style", "letter", "--shots", 0, "--orders", 1, "--concurrency", 2, "--timeout", 200,
               "--engine", "ray", "--workers", 1)  # fmt: skip
        kill_midway(command(*job), out, 2)
        assert not (out / "labels.parquet").exists()
        label(*job)
    rows = table(out)
    assert [row["utterance"] for row in rows] == said
    assert not [row for row in rows if row["error"]]
    keys = journal_keys(out)
    assert len(keys) == len(set(keys)) == 12
    assert all(sum(row["dish"].values()) == pytest.approx(1, abs=1e-5) for row in rows)
    assert all(0 < row["label_mass"] <= 1 and max(row["dish"].values()) < 1 for row in rows)
    assert len({row["label_mass"] for row in rows}) > 6, "real masses differ from turn to turn"


class Broken:
    """In place of a labeller; raises what it is told."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    async def __call__(self, turn: Turn) -> Any:
        self.calls += 1
        raise self.error


def block(count: int) -> pa.Table:
    rows = [{KEY: f"k{i}", TURN: packed(Turn(f"{MARK} {i}"))} for i in range(count)]
    return pa.Table.from_pylist(rows, QUEUE)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LlmError("key", "the server refuses the key", fatal=True), "^the server refuses the key$"),
        (ValueError(f"cannot read {MARK} 0"), r"^a worker broke down: ValueError at .*\.py:\d+$"),
    ],
)
def test_what_no_row_survives_stops_all_workers_and_quotes_none(tmp_path: Path, error: Exception, said: str) -> None:
    labeller, exchange = Broken(error), Exchange(tmp_path)
    make: Callable[[], Any] = lambda: labeller  # noqa: E731
    worker = Worker(make, exchange, slots=1, attempts=3)
    assert asyncio.run(worker(block(5))).num_rows == 0, "rows without an entry stay in the queue"
    assert labeller.calls == 1
    with pytest.raises(LlmError, match=said) as raised:
        exchange.raise_fatal()
    assert raised.value.fatal


def test_a_part_is_collected_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    exchange, seen = Exchange(tmp_path / "ray"), list[Entry]()
    exchange.parts.mkdir(parents=True)
    whole, cut = exchange.parts / "a.parquet", exchange.parts / "b.parquet"
    entries: list[Entry] = [{"key": "a", "raw": {"q": [[0.5, 0.5]]}}, {"key": "b", "error": "timeout"}]
    pq.write_table(pa.table({KEY: ["a", "b"], ENTRY: [json.dumps(entry) for entry in entries]}), whole)
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    with Journal(tmp_path / "journal.jsonl") as journal:
        exchange.collect(journal, seen.append)
        assert seen == [journal["a"], journal["b"]] == entries
        assert (whole.exists(), cut.exists()) == (False, True)
        whole.write_bytes(content)  # as if a kill had come between the journal and the deletion
        exchange.collect(journal, seen.append)
        assert [entry["key"] for entry in seen].count("a") == 1


@pytest.mark.parametrize("text", ["con vui", "\ud800", "\x00", '"\\'])
def test_a_turn_survives_the_queue(text: str) -> None:
    assert unpacked(packed(Turn(text, reply=text))) == Turn(text, reply=text)


def test_without_ray_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from distill.ray_engine_cluster import cluster

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataError, match=r"pip install -e '\.\[ray\]'"), cluster():
        pass
