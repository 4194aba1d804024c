"""``python -m training fit`` and ``python -m export bundle`` on data of another trade, as an ML engineer runs them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle import export_bundle
from export.fold import fold
from tests.conftest import small_rows, write_jsonl
from tinyclf import Classifier, TinyclfError, Turn
from tinyclf.bundle import MODEL
from training.run import load_run
from training.schedule import Schedule
from training.settings import SHIPPED, Settings

SMALL = ("--epochs", "20", "--batch", "8", "--dim", "16", "--filters", "32", "--no-augment")


def command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(module, *arguments), capture_output=True, text=True, timeout=300, check=False)


KINDS = {
    "cnn": ("--architecture", "cnn"),
    "pairs": ("--architecture", "cnn", "--width", "2", "--members", "2"),
    "mlp": ("--architecture", "mlp", "--members", "2", "--no-letters"),
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kitchen_files: tuple[Path, Path]
) -> Path:
    out = tmp_path_factory.mktemp("runs") / str(request.param)
    data, labels = kitchen_files
    done = run("training", "fit", "--data", data, "--labels", labels, "--out", out, *KINDS[request.param], *SMALL)
    assert done.returncode == 0, done.stderr
    assert "done:" in done.stderr
    return out


def test_the_report_has_figures_for_every_head_and_guard(trained: Path) -> None:
    report = json.loads((trained / "report.json").read_text())
    for name in ("balanced", "careful"):
        metrics = report["test"][name]
        assert set(metrics["heads"]) == {"dish", "allergens"}
        assert set(metrics["guards"]["hiding milk"]) >= {"mistakes", "turns", "upper_bound", "precision", "recall"}
        assert metrics["n"] == report["splits"]["test"]
    balanced = report["test"]["balanced"]  # `careful` has too few rows to prove anything, and closes what is guarded
    assert balanced["heads"]["dish"]["accuracy"] > 0.8
    assert report["test"]["careful"]["guards"]["hiding milk"]["mistakes"] == 0
    assert all(member["epoch"] == 20 for member in report["members"])
    assert not list(trained.glob("member-*"))
    page = (trained / "REPORT.md").read_text()
    for picture in re.findall(r"!\[.*\]\((.*)\)", page):
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")
    assert "confusion of dish" in page
    assert "reliability of allergens" in page


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_bundle_answers_as_the_student_does(trained: Path, tmp_path: Path, precision: str) -> None:
    out = tmp_path / "bundle"
    done = run("export", "bundle", "--run", trained, "--out", out, "--precision", precision)
    assert done.returncode == 0, done.stderr
    fitted = load_run(trained)
    clf = Classifier.load(out)
    from training.loop import predict
    from training.probabilities import probabilities

    turns = [*fitted.test_turns(), Turn("almond cake", "what is it", "nice")]
    given = probabilities(
        fitted.labels, predict(fitted.student, fitted.encoder, turns), fitted.calibration.temperatures
    )
    for i, decision in enumerate(clf.batch(turns)):
        for head, row in decision.probabilities.items():
            tolerance = {"float32": 1e-4, "float16": 2e-2, "int8": 0.15}[precision]
            assert np.abs(np.array(list(row.values())) - given[head][i]).max() < tolerance
    assert json.loads(clf("cake with almond please").to_json())["dish"] == "cake"


def test_folding_is_exact(tmp_path: Path, trained: Path) -> None:
    if load_run(trained).student.shape.architecture == "mlp":
        done = run("export", "bundle", "--run", trained, "--out", tmp_path / "plain", "--no-fold")
        assert done.returncode == 1
        assert "only a cnn" in done.stderr
        return
    for out, flag in ((tmp_path / "folded", "--fold"), (tmp_path / "plain", "--no-fold")):
        assert run("export", "bundle", "--run", trained, "--out", out, flag).returncode == 0
    folded, plain = Classifier.load(tmp_path / "folded"), Classifier.load(tmp_path / "plain")
    for turn in load_run(trained).test_turns():
        for head, row in folded(turn.utterance).probabilities.items():
            assert plain(turn.utterance).probabilities[head] == pytest.approx(row, abs=1e-5)


def test_export_replaces_a_bundle_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("x")
    refused = run("export", "bundle", "--run", trained, "--out", tmp_path / "photos")
    assert refused.returncode == 1
    assert "is no bundle" in refused.stderr
    assert run("export", "bundle", "--run", trained, "--out", tmp_path / "bundle").returncode == 0
    before = (tmp_path / "bundle" / MODEL).read_bytes()
    assert run("export", "bundle", "--run", trained, "--out", tmp_path / "bundle").returncode == 0
    assert (tmp_path / "bundle" / MODEL).read_bytes() == before
    assert run("export", "bundle", "--run", tmp_path / "nowhere", "--out", tmp_path / "bundle").returncode == 1
    assert (tmp_path / "bundle" / MODEL).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "photos"]


def test_a_killed_fit_goes_on_and_ends_with_the_same_weights(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    data, labels = kitchen_files
    fit = ("fit", "--data", data, "--labels", labels, "--epochs", 30, "--patience", 15, "--members", 2, *SMALL[2:-1])
    whole = run("training", *fit, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    for member, (stop, code) in enumerate([(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)]):
        process = subprocess.Popen(
            command("training", *fit, "--out", tmp_path / "stopped"),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        wait_for_new_epoch(tmp_path / "stopped" / f"member-{member}" / "checkpoint.safetensors", process)
        process.send_signal(stop)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        if stop == signal.SIGINT:
            assert "The same command goes on" in said
    assert not (tmp_path / "stopped" / "report.json").exists()
    again = run("training", *fit, "--out", tmp_path / "stopped")
    assert again.returncode == 0, again.stderr
    for name in ("student.safetensors", "calibration.json", "report.json"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not [path for path in (tmp_path / "stopped").iterdir() if path.name.startswith(".")]


def heed_interrupts() -> None:
    """A test run in the background inherits SIGINT as ignored; a person's terminal does not ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_new_epoch(checkpoint: Path, process: subprocess.Popen[str]) -> None:
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    for _ in range(2000):
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            return
        assert process.poll() is None, "the fit ended before it could be stopped"
        time.sleep(0.01)
    raise AssertionError("no checkpoint appeared")


def test_another_run_in_the_folder_is_refused(trained: Path, kitchen_files: tuple[Path, Path]) -> None:
    data, labels = kitchen_files
    same = ("--data", data, "--labels", labels, "--out", trained, *KINDS[trained.name], *SMALL)
    assert run("training", "fit", *same).returncode == 0  # finished: loads and reports
    other = run("training", "fit", *same, "--seed", 1)
    assert other.returncode == 1
    assert "holds a run of other settings" in other.stderr


def test_a_damaged_run_is_named(trained: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(trained, tmp_path / "copy")
    weights = copy / "student.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = run("export", "bundle", "--run", copy, "--out", tmp_path / "bundle")
    assert done.returncode == 1
    assert "student.safetensors: not the weights" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_full_disk_ends_a_fit_with_a_reason(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    data, labels = kitchen_files
    fit = command("training", "fit", "--data", data, "--labels", labels, "--out", tmp_path / "run", *SMALL)
    limited = f"ulimit -f 8; exec {' '.join(fit)}"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", limited], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "too large" in done.stderr
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.startswith(".")]


def test_a_set_of_another_column_layout_needs_no_label_file(tmp_path: Path) -> None:
    rows = [{"text": row["utterance"], "intent": row["dish"]} for row in small_rows(300)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    columns = ("--text-column", "text", "--label-column", "intent")
    done = run("training", "fit", "--data", data, *columns, "--out", tmp_path / "run", *SMALL)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["test"]["balanced"]["heads"]["intent"]["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--vocabulary", 100_000, "--buckets", 90), "--buckets must be at least 3 times"),
        (("--architecture", "tree"), "tree"),
        (("--batch", 0), "--batch"),
    ],
)
def test_bad_settings_are_named_and_leave_the_folder_free(
    tmp_path: Path, kitchen_files: tuple[Path, Path], options: tuple[object, ...], said: str
) -> None:
    data, labels = kitchen_files
    done = run("training", "fit", "--data", data, "--labels", labels, "--out", tmp_path / "run", *SMALL, *options)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_model_that_answers_otherwise_is_not_exported(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = load_run(trained)
    export_bundle(fitted, tmp_path / "out", fitted.test_turns(), "int8")
    kept = (tmp_path / "out" / MODEL).read_bytes()
    monkeypatch.setattr("export.bundle.fold", lambda *given: replace(fold(*given), head=-fold(*given).head))
    with pytest.raises(TinyclfError, match="a probability differs by"):
        export_bundle(fitted, tmp_path / "out", fitted.test_turns(), "int8")
    monkeypatch.setattr("export.bundle.fold", lambda *given: replace(fold(*given), head=fold(*given).head * np.nan))
    with pytest.raises(TinyclfError):
        export_bundle(fitted, tmp_path / "out", fitted.test_turns(), "float32")
    assert (tmp_path / "out" / MODEL).read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_stranger_s_folder_with_a_manifest_is_not_replaced(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "a web app", "files": {}}')
    done = run("export", "bundle", "--run", trained, "--out", tmp_path / "app")
    assert done.returncode == 1
    assert "is no bundle" in done.stderr
    assert (tmp_path / "app" / "manifest.json").exists()


def test_a_head_may_have_the_name_of_a_tensor(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"utterance": r["utterance"], "hidden": r["dish"]} for r in small_rows(300)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    fit = ("--data", data, "--label-column", "hidden", "--out", tmp_path / "run", *SMALL)
    assert run("training", "fit", *fit).returncode == 0
    done = run("export", "bundle", "--run", tmp_path / "run", "--out", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr


def test_rows_to_test_on_may_be_given(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    rows = small_rows(300, seed=5)
    data, test = write_jsonl(tmp_path / "train.jsonl", rows), write_jsonl(tmp_path / "test.jsonl", rows[:40])
    out = tmp_path / "run"
    given = ("--data", data, "--test", test, "--labels", kitchen_files[1], "--out", out)
    done = run("training", "fit", *given, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "rows left out: their turns stand in --test" in done.stderr
    splits = json.loads((out / "report.json").read_text())["splits"]
    assert splits["test"] == 40
    assert sum(splits.values()) <= 300 + 1  # the label set's example is learnt too


def test_make_bundle_trains_the_student_that_the_benchmarks_measure() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    options = next(line for line in makefile.splitlines() if line.startswith("SHIPPED :="))
    s = SHIPPED
    told: dict[str, float] = {"vocabulary": s.vocabulary, "dim": s.dim, "filters": s.filters, "buckets": s.buckets}
    told |= {"wide_dropout": s.wide_dropout, "members": s.members}
    schedule = {"epochs": s.schedule.epochs, "batch": s.schedule.batch}
    said = [f"--{name.replace('_', '-')} {value}" for name, value in {**told, **schedule}.items()]
    assert options == " ".join(["SHIPPED :=", *said, "--no-letters"])
    assert Settings(letters=False, schedule=Schedule(**schedule), **told) == s  # type: ignore[arg-type]


def test_class_names_may_be_any_text(tmp_path: Path) -> None:
    rows = [{"utterance": row["utterance"], "price": f"$1_{row['dish']}$2^"} for row in small_rows(200)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    done = run("training", "fit", "--data", data, "--label-column", "price", "--out", tmp_path / "run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "confusion-0.png").exists()


def test_too_few_rows_are_named(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", small_rows(2))
    done = run("training", "fit", "--data", data, "--labels", kitchen_files[1], "--out", tmp_path / "run", *SMALL)
    assert done.returncode == 1
    assert "split: more rows" in done.stderr


@pytest.mark.parametrize("arguments", [("training", "fit"), ("training", "corpus", "check"), ("export", "bundle")])
def test_help_teaches(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
