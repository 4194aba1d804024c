"""Members trained side by side: the same weights as one after another, and a kill costs nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import small_rows, write_jsonl

ROWS = 1600
"""Enough for processes of their own."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, kitchen_files: tuple[Path, Path]) -> list[str]:
    folder = tmp_path_factory.mktemp("members")
    data = write_jsonl(folder / "rows.jsonl", small_rows(ROWS))
    (folder / "sweet.txt").write_text("cake\ntart\npâté\ncrème\n", encoding="utf-8")
    options = (
        "--labels",
        kitchen_files[1],
        "--lexicon",
        folder,
        "--no-augment",
        "--dim",
        16,
        "--vocabulary",
        300,
        "--epochs",
        6,
    )
    return [sys.executable, "-m", "training", "fit", "--data", str(data), *map(str, options)]


def test_side_by_side_or_in_turn_and_after_a_kill_the_weights_are_the_same(command: list[str], tmp_path: Path) -> None:
    subprocess.run([*command, "--jobs", "1", "--out", str(tmp_path / "in-turn")], check=True, timeout=300)
    abreast = tmp_path / "abreast"
    process = subprocess.Popen([*command, "--jobs", "2", "--out", str(abreast)])
    second = abreast / "member-1" / "checkpoint.safetensors"
    while not second.exists():
        assert process.poll() is None, "the fit ended before it could be killed"
        time.sleep(0.01)
    assert not (abreast / "student.safetensors").exists()
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    subprocess.run([*command, "--jobs", "2", "--out", str(abreast)], check=True, timeout=300)
    for name in ("student.safetensors", "calibration.json"):
        assert (abreast / name).read_bytes() == (tmp_path / "in-turn" / name).read_bytes()
