"""The ``tinyclf`` command as operators run it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinyclf.bundle import MODEL, default_bundle


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinyclf", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_classify_prints_the_wire_form() -> None:
    done = run("classify", "con làm được rồi")
    assert (done.returncode, done.stdout) == (0, '{"soll_emotion": "proud", "soll_celebrate": "yes"}\n')


def test_classify_with_context_and_everything() -> None:
    done = run("classify", "bằng năm", "--previous", "Hai cộng ba bằng mấy?", "--full", "--point", "careful")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["source"] == "student"
    assert set(found) >= {"confidence", "probabilities", "microseconds", "sure"}


def test_a_stream_keeps_order_and_names_bad_lines() -> None:
    lines = [
        json.dumps({"utterance": "con làm được rồi"}),
        "{broken",
        json.dumps({"utterance": 5}),
        json.dumps(["utterance"]),
        json.dumps({"utterance": "con sợ ma", "previous": None, "other": 1}),
        "[" * 100_000,
        "",
        json.dumps({"utterance": "\ud800"}),
    ]
    done = run("classify", "--jsonl", stdin="\n".join(lines) + "\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert "5 bad lines" in done.stderr
    assert [("error" in line) for line in found] == [False, True, True, True, False, True, True, False]
    assert found[1]["error"] == "line 2: not JSON"
    assert found[2]["error"] == "line 3: utterance must be str, got int"


def test_a_pipe_that_closes_early_is_no_error() -> None:
    turns = json.dumps({"utterance": "con vui"}) + "\n"
    python = f"{sys.executable} -m tinyclf classify --jsonl"
    command = f"yes '{turns.strip()}' | head -n 20000 | {python} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_text_and_stream_exclude_each_other() -> None:
    assert run("classify").returncode == 2
    assert run("classify", "con", "--jsonl").returncode == 2


def test_info_names_the_parts() -> None:
    done = run("info")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("soll_emotion", "balanced", "careful", "sha256", "settings"))


def test_check_prints_machine_load_and_count() -> None:
    done = run("check", "--count", "500")
    assert "cores" in done.stdout
    assert "n = 500" in done.stdout
    assert ("passed" in done.stdout) == (done.returncode == 0)


def test_check_fails_with_a_reason_when_too_slow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinyclf import check, cli

    monkeypatch.setattr(check, "LIMIT_MS", 0.001)
    monkeypatch.setattr(sys, "argv", ["tinyclf", "check", "--count", "100"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    said = capsys.readouterr().out
    assert "FAILED: P99 is" in said
    assert "load average" in said


def test_demo_shows_a_row_for_every_example() -> None:
    from tinyclf import default_labels

    done = run("demo")
    assert done.returncode == 0
    assert done.stdout.count("0.") + done.stdout.count("1.00") >= len(default_labels().examples)


def test_a_bad_bundle_ends_with_one_line(tmp_path: Path) -> None:
    copy = shutil.copytree(default_bundle(), tmp_path / "bundle")
    (copy / MODEL).write_bytes(b"")
    done = run("classify", "con", "--bundle", str(copy))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {copy / MODEL}: damaged")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["classify"], ["info"], ["check"], ["demo"]])
def test_help_teaches(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
