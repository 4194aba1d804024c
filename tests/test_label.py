"""``python -m distill label`` as an ML engineer runs it: against a stub that counts, and against a real LLM server."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.journal import Journal
from tests.conftest import small_rows, write_jsonl
from tests.servers import llama_server, stats, stub_server
from tinyclf.errors import DataError

KITCHEN = ("--backend", "openai", "--style", "json")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "distill", *map(str, arguments)]


def label(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("label", *arguments), capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def table(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(out / "labels.parquet").to_pylist()
    return found


def journals(out: Path) -> list[Path]:
    return sorted((out / "journal").glob("*.jsonl"))


def kill_midway(arguments: list[str], out: Path, lines: int) -> None:
    """Start a job and kill it, without a chance to tidy up, once its journal has so many lines."""
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    for _ in range(6000):
        if any(path.read_bytes().count(b"\n") >= lines for path in journals(out)):
            break
        assert process.poll() is None, "the job ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """120 rows with gold labels, one turn twice."""
    rows = [{**row, "utterance": f"{row['utterance']} {i}"} for i, row in enumerate(small_rows(119))]
    return write_jsonl(tmp_path / "rows.jsonl", [*rows, {**rows[7], "id": "again"}])


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    with stub_server() as url:
        yield url


def test_soft_labels_gold_and_provenance_stand_in_every_row(
    data: Path, kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = label(
        data, "--out", out, "--labels", kitchen_files[1], "--backend", "vllm", "--url", stub, "--revision", "r1"
    )
    assert done.returncode == 0, done.stderr
    assert "120 of 120 rows labelled" in done.stderr
    assert f"python -m training fit --data {out}" in done.stderr
    rows, given = table(out), [json.loads(line) for line in data.read_text().splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in given]
    for row, gold in zip(rows, given, strict=True):
        assert row["utterance"] == gold["utterance"]
        assert (row["dish_gold"], row["allergens_gold"]) == (gold["dish"], sorted(gold["allergens"], reverse=True))
        assert sum(row["dish"].values()) == pytest.approx(1)
        assert max(row["dish"].values()) == pytest.approx(7 / 9, abs=1e-4)
        assert all(0 <= p <= 1 for p in row["allergens"].values())
        assert row["label_mass"] == pytest.approx(0.9)
        assert row["margin"] == pytest.approx(min(6 / 9, 5 / 9), abs=1e-4)
        assert (row["teacher"], row["revision"], row["server"], row["error"]) == ("stub", "r1", "vllm 1.0", None)
        assert row["prompt_sha256"]
        assert (row["tokens_in"], row["attempts"]) == (3000, 1)
        assert row["latency_ms"] > 0
    assert rows[7]["dish"] == rows[-1]["dish"]
    report = json.loads((out / "job.json").read_text())
    assert report["rows"] == {"labelled": 120}


def test_json_lines_csv_and_parquet_give_the_same_labels(
    data: Path, kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "allergens": "|".join(row["allergens"])} for row in rows)
    found = []
    for suffix in (".jsonl", ".csv", ".parquet"):
        out = tmp_path / suffix
        done = label(data.with_suffix(suffix), "--out", out, "--labels", kitchen_files[1], *KITCHEN, "--url", stub)
        assert done.returncode == 0, done.stderr
        found.append([(row["id"], row["dish"], row["dish_gold"]) for row in table(out)])
    assert found[0] == found[1] == found[2]


def test_a_killed_job_goes_on_and_asks_nothing_twice(
    data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, in_flight = tmp_path / "out", 4
    with stub_server(latency=0.05) as url:
        job = (data, "--out", out, "--labels", kitchen_files[1], *KITCHEN, "--url", url, "--concurrency", in_flight)
        kill_midway(command("label", *job), out, 30)
        assert not (out / "labels.parquet").exists()
        with journals(out)[0].open("ab") as file:
            file.write(b'{"key":"cut off by a po')
        done = label(*job)
        assert done.returncode == 0, done.stderr
        asked = stats(url)["asked"]
    assert [row["id"] for row in table(out)] == [json.loads(line)["id"] for line in data.read_text().splitlines()]
    assert all(row["error"] is None for row in table(out))
    again = sum(count - 1 for text, count in asked.items() if text != '{"utterance": "hello"}')
    assert len(asked) == 119 + 1
    assert again <= in_flight, "only what was in flight when it was killed may be asked again"
    keys = [json.loads(line)["key"] for line in journals(out)[0].read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 119


def test_what_failed_is_asked_again_by_the_next_run(
    data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, job = tmp_path / "out", (data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN)
    with stub_server(off_label=0.3) as url:
        done = label(*job, "--url", url, "--attempts", 1)
    assert done.returncode == 1, "a script that goes on must not do so without knowing"
    failed = [row for row in table(out) if row["error"]]
    assert 10 < len(failed) < 70
    assert {row["error"] for row in failed} == {"off-label"}
    assert all(row["dish"] is None and row["label_mass"] is None for row in failed)
    assert f"without labels: {len(failed)} off-label" in done.stderr
    assert "--skip-bad" in done.stderr
    with stub_server() as url:
        assert label(*job, "--url", url).returncode == 0
        assert sum(stats(url)["asked"].values()) <= len(failed) + 2  # the probe asks twice
    assert not [row for row in table(out) if row["error"]]


def test_a_storm_of_faults_loses_no_row(data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path) -> None:
    faults = {"_429": 0.05, "_500": 0.05, "timeout": 0.05, "broken": 0.05, "drop": 0.05}
    with stub_server(stall=1.0, **faults) as url:
        done = label(
            data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN, "--url", url, "--timeout", 0.5
        )
        injected = stats(url)["injected"]
    assert done.returncode == 0, done.stderr
    assert sum(injected.values()) > 10
    rows = table(tmp_path / "out")
    assert len(rows) == 120
    assert not [row for row in rows if row["error"]]
    assert max(row["attempts"] for row in rows) > 1


def test_another_model_or_prompt_never_mixes(
    data: Path, kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job = (data, "--out", out, "--labels", kitchen_files[1], *KITCHEN, "--url", stub, "--limit", 20)
    for more in ((), ("--shots", 0), ("--revision", "r2"), ("--separate",)):
        before = sum(stats(stub)["asked"].values())
        assert label(*job, *more).returncode == 0
        assert sum(stats(stub)["asked"].values()) >= before + 20
    assert len(journals(out)) == 4
    before = sum(stats(stub)["asked"].values())
    assert label(*job).returncode == 0  # back to the first: all is there
    assert sum(stats(stub)["asked"].values()) <= before + 2


def test_no_word_of_a_child_leaves_for_journal_or_terminal(kitchen_files: tuple[Path, Path], tmp_path: Path) -> None:
    words = "bí mật của con"
    data = write_jsonl(tmp_path / "rows.jsonl", [{"id": "1", "utterance": words}])
    job = (data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN, "--attempts", 1)
    with stub_server(_500=1.0) as url:
        done = label(*job, "--url", url)
    assert "without labels: 1 server" in done.stderr
    files = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.json*"))
    assert "server" in files
    for hidden in (words, json.dumps(words)[1:-1]):
        assert hidden not in files + done.stderr + done.stdout


def test_a_dry_run_shows_prompt_count_and_cost_and_asks_nothing(
    data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    job = (data, "--out", tmp_path / "out", "--labels", kitchen_files[1], "--url", "http://127.0.0.1:9/v1")
    done = label(*job, "--dry-run", "--price-in", 0.5, "--price-cached", 0.1, "--price-out", 2)
    assert done.returncode == 0, done.stderr
    assert "Answer with one letter" in done.stdout
    assert "120 rows, 119 different turns, 714 calls" in done.stderr
    assert "estimated cost: $" in done.stderr
    assert not (tmp_path / "out").exists()


def test_limit_and_sample_choose_rows(data: Path, kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path) -> None:
    job = (data, "--labels", kitchen_files[1], *KITCHEN, "--url", stub)
    assert label(*job, "--out", tmp_path / "a", "--limit", 5).returncode == 0
    assert [row["id"] for row in table(tmp_path / "a")] == [f"k-{i}" for i in range(5)]
    for name, seed in (("b", 1), ("c", 1), ("d", 2)):
        assert label(*job, "--out", tmp_path / name, "--sample", 12, "--seed", seed).returncode == 0
    drawn = [[row["id"] for row in table(tmp_path / name)] for name in "bcd"]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 12


def test_bad_rows_stop_the_job_before_it_costs_anything(
    kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"utterance": "soup"}\n{broken\n{"utterance": " "}\n{"utterance": "pie", "dish": "secret"}\n')
    job = (data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN, "--url", stub)
    done = label(*job)
    assert done.returncode == 1
    assert "rows.jsonl:2: not JSON" in done.stderr
    assert "rows.jsonl:3: column 'utterance' is blank" in done.stderr
    assert "rows.jsonl:4: head 'dish': unknown class" in done.stderr
    assert "secret" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert label(*job, "--skip-bad").returncode == 0
    assert len(table(tmp_path / "out")) == 1


def test_a_refused_key_stops_the_job_with_a_reason(
    data: Path, kitchen_files: tuple[Path, Path], tmp_path: Path
) -> None:
    job = (data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN)
    done = label(*job, "--url", "http://127.0.0.1:9/v1", "--key", "NOT_SET")
    assert (done.returncode, "the variable NOT_SET is not set" in done.stderr) == (1, True)
    done = label(*job, "--url", "http://127.0.0.1:9/v1")
    assert (done.returncode, "is the server up?" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_two_jobs_do_not_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl"), pytest.raises(DataError, match="another job is writing it"):
        Journal(tmp_path / "j.jsonl")


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('{"key": "a", "error": "timeout"}\n{"key": "b", \n{"key": "c", "error": "server"}\n')
    with pytest.raises(DataError, match=r"j.jsonl:2: damaged; delete this line"):
        Journal(path)


@pytest.mark.parametrize("arguments", [(), ("label",), ("probe",)])
def test_help_teaches(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command(*arguments, "--help"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    with llama_server() as url:
        yield url


@pytest.fixture
def real_turns(tmp_path: Path) -> Path:
    """Real utterances with their gold labels: the examples of the default label set."""
    from tinyclf import default_labels

    rows: list[dict[str, object]] = [
        {"id": f"e-{i}", "utterance": e.turn.utterance, "previous": e.turn.previous, **e.labels}
        for i, e in enumerate(default_labels().examples)
    ]
    return write_jsonl(tmp_path / "turns.jsonl", rows[:14])


@pytest.mark.parametrize("style", ["letter", "json"])
def test_a_real_llm_labels_real_utterances_and_survives_a_kill(
    real_turns: Path, llama: str, style: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job = (real_turns, "--out", out, "--backend", "llamacpp", "--url", llama, "--style", style,
           "--shots", 0, "--orders", 1, "--concurrency", 2, "--timeout", 200)  # fmt: skip
    kill_midway(command("label", *job), out, 4)
    done = label(*job)
    assert done.returncode == 0, done.stderr
    rows = table(out)
    assert [row["id"] for row in rows] == [f"e-{i}" for i in range(14)]
    assert not [row for row in rows if row["error"]]
    keys = [json.loads(line)["key"] for line in journals(out)[0].read_text().splitlines()]
    assert len(keys) == len(set(keys)) == len({(row["utterance"], row["previous"]) for row in rows})
    distributions = [tuple(row["soll_emotion"].values()) for row in rows]
    assert all(sum(p) == pytest.approx(1, abs=1e-5) for p in distributions)
    if style == "letter":
        assert len({row["label_mass"] for row in rows}) > 5, "real masses differ from turn to turn"
        assert all(0.01 < row["label_mass"] <= 1 for row in rows)
        assert all(max(p) < 0.99 for p in distributions), "soft labels"
    else:
        assert all(max(p) == 1 for p in distributions)
        assert all(row["label_mass"] is None for row in rows)


def test_a_head_with_the_name_of_another_column_is_refused_before_it_costs(tmp_path: Path, stub: str) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [{"utterance": "soup"}])
    for heads in (["error"], ["family"], ["x", "x_gold"]):
        text = 'name = "n"\n' + "".join(
            f'[[heads]]\nname = "{h}"\n[[heads.classes]]\nname = "a"\n[[heads.classes]]\nname = "b"\n' for h in heads
        )
        (tmp_path / "labels.toml").write_text(text)
        done = label(data, "--out", tmp_path / "out", "--labels", tmp_path / "labels.toml", *KITCHEN, "--url", stub)
        assert done.returncode == 1
        assert "a head's name is that of another column" in done.stderr


def test_odd_text_in_any_kept_column_reaches_the_table(
    kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [])
    data.write_text('{"utterance": "hi \\ud83d", "id": "x\\ud83d", "family": "f\\udc00"}\n')
    done = label(data, "--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN, "--url", stub)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "out")[0]["id"] == "x?"


def test_another_input_does_not_replace_a_table(kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path) -> None:
    one, two = (write_jsonl(tmp_path / f"{n}.jsonl", [{"utterance": n}]) for n in ("one", "two"))
    how = ("--out", tmp_path / "out", "--labels", kitchen_files[1], *KITCHEN, "--url", stub)
    assert label(one, *how).returncode == 0
    done = label(two, *how)
    assert done.returncode == 1
    assert "holds the labels of" in done.stderr
    assert [row["utterance"] for row in table(tmp_path / "out")] == ["one"]


def test_the_table_is_for_its_owner_alone(kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [{"utterance": "soup"}])
    assert label(data, "--out", tmp_path / "o", "--labels", kitchen_files[1], *KITCHEN, "--url", stub).returncode == 0
    assert (tmp_path / "o" / "labels.parquet").stat().st_mode & 0o077 == 0
