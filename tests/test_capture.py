"""Capture of unsure turns, and the whole way from them to a better bundle, command by command."""

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import turns
from tests.conftest import small_rows, write_jsonl
from tests.servers import stub_server
from tinyclf import Capture, Classifier
from tinyclf.decision import Decision

UNSURE = Decision({"dish": "soup"}, 0.4, False, "student", 1.0)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_only_unsure_turns_are_written_and_the_guess_is_no_label(clf: Classifier, tmp_path: Path) -> None:
    capture = Capture(tmp_path / "unsure.jsonl")
    for utterance in (turns.SURE, "", turns.UNSURE):
        decision = clf(utterance)
        assert capture(decision, utterance) == (decision.source == "student" and not decision.sure)
    rows = lines(capture.path)
    assert [row["utterance"] for row in rows] == [turns.UNSURE]
    assert not set(rows[0]) & {head.name for head in clf.labels.heads}
    assert stat.S_IMODE(capture.path.stat().st_mode) == 0o600


@given(st.text(), st.text(max_size=20))
def test_any_text_is_captured_as_one_line(utterance: str, previous: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        capture = Capture(Path(folder) / "c.jsonl")
        assert capture(UNSURE, utterance, previous)
        assert len(lines(capture.path)) == 1


def test_the_file_is_bounded(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "c.jsonl", limit=2000)
    for i in range(200):
        assert capture(UNSURE, f"turn number {i}")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["c.jsonl", "c.jsonl.1"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert lines(capture.path)[-1]["utterance"] == "turn number 199"


def test_no_row_outlives_twice_its_days(tmp_path: Path) -> None:
    file, older = tmp_path / "c.jsonl", tmp_path / "c.jsonl.1"
    file.write_text('{"utterance": "old", "day": "2020-01-01"}\n{"utterance": "new", "day": "2999-01-01"}\n')
    capture = Capture(file, days=30)
    assert "old" in older.read_text()
    assert not file.exists()
    assert capture(UNSURE, "today")
    capture.tidy()
    assert (file.exists(), older.exists()) == (True, True)
    os.utime(older, (0, 0))
    capture.tidy()
    assert not older.exists()
    file.write_text('{"utterance": "a row without its day"}\n')
    os.utime(file, (0, 0))
    capture.tidy()
    assert not file.exists()


def test_a_file_that_cannot_be_written_does_not_stop_the_robot(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "no" / "such" / "folder.jsonl")
    assert not capture(UNSURE, "x")
    assert capture.lost == 1


def test_a_full_disk_spoils_no_line(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)); from tinyclf import Capture; "
        "from tests.test_capture import UNSURE; c = Capture(sys.argv[1]); "
        "print([c(UNSURE, f'turn {i}') for i in range(4)], c.lost)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "c.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True, False, False] 2"
    assert [row["utterance"] for row in lines(tmp_path / "c.jsonl")] == ["turn 0", "turn 1"]


def _write(path: Path) -> None:
    capture = Capture(path)
    for i in range(300):
        capture(UNSURE, "x" * (i % 90))


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(_write, [path] * 3)
    assert len(lines(path)) == 900


def test_the_command_captures_only_when_told(tmp_path: Path) -> None:
    told = "".join(json.dumps({"utterance": text}) + "\n" for text in (turns.UNSURE, turns.SURE))
    command = [sys.executable, "-m", "tinyclf", "classify", "--jsonl", "--capture", str(tmp_path / "c.jsonl")]
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert len(lines(tmp_path / "c.jsonl")) == 1
    assert subprocess.run([*command[:4], "con", *command[5:]], capture_output=True, check=False).returncode == 2


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, kitchen_files: tuple[Path, Path]) -> Path:
    """A weak student: few rows, few epochs."""
    place = tmp_path_factory.mktemp("weak")
    data = write_jsonl(place / "rows.jsonl", small_rows(60))
    run("training", "fit", "--data", data, "--labels", kitchen_files[1], "--out", place / "run", *SMALL)
    run("export", "bundle", "--run", place / "run", "--out", place / "bundle")
    return place / "bundle"


SMALL = (
    "--epochs",
    "3",
    "--members",
    "1",
    "--no-letters",
    "--batch",
    "16",
    "--dim",
    "16",
    "--filters",
    "16",
    "--no-augment",
)


def run(module: str, *arguments: object, stdin: str = "") -> str:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def test_unsure_turns_become_a_promoted_bundle(bundle: Path, kitchen_files: tuple[Path, Path], tmp_path: Path) -> None:
    data, labels = kitchen_files
    turns = "".join(json.dumps({"utterance": row["utterance"]}) + "\n" for row in small_rows(200, seed=5))
    run("tinyclf", "classify", "--jsonl", "--bundle", bundle, "--capture", tmp_path / "unsure.jsonl", stdin=turns)
    captured = lines(tmp_path / "unsure.jsonl")
    assert len(captured) > 5
    with stub_server() as url:
        teacher = ("--labels", labels, "--backend", "vllm", "--url", url)
        run("distill", "label", tmp_path / "unsure.jsonl", "--out", tmp_path / "labelled", *teacher)
    fit = ("--data", data, "--data", tmp_path / "labelled", "--labels", labels, "--out", tmp_path / "run", *SMALL)
    said = run("training", "fit", *fit)
    assert "student / teacher" in said, "the report shows student against teacher"
    run("export", "bundle", "--run", tmp_path / "run", "--out", tmp_path / "candidate")
    gold = write_jsonl(tmp_path / "gold.jsonl", small_rows(150, seed=9))
    compare = (bundle, tmp_path / "candidate", "--data", gold, "--out", tmp_path / "compared")
    assert "verdict:" in run("training", "compare", *compare)
    promote = ("--replaces", bundle, "--comparison", tmp_path / "compared" / "compare.json", "--force")
    run("export", "promote", tmp_path / "candidate", *promote, "--out", tmp_path / "promoted")
    made = Classifier.load(tmp_path / "promoted")
    lineage = made.bundle.manifest["lineage"]
    assert [entry["manifest_sha256"] for entry in lineage] == [Classifier.load(bundle).bundle.manifest["sha256"]]
    teachers = made.bundle.manifest["provenance"]["teachers"]
    assert [entry["teacher"] for entry in teachers] == ["stub"]
    assert made("a bowl of hot soup").source == "student"
