"""Labels that deserve a second look, as an ML engineer finds them, and how alike turns are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.near import Nearness, shares
from tests.conftest import small_rows, write_jsonl
from tinyclf import Turn
from training.rows import Row


def test_planted_mistakes_are_doubted_first(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    rows = small_rows(240, seed=3)
    wrong = {"soup": "cake", "cake": "soup"}
    planted = [row for row in rows if row["dish"] in wrong][::20]
    for row in planted:
        row["dish"] = wrong[str(row["dish"])]
    data, out = write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "doubts.jsonl"
    command = ("training", "triage", "--data", data, "--labels", kitchen_files[1], "--out", out)
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    doubts = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["id"] for row in planted} <= {doubt["id"] for doubt in doubts[: 2 * len(planted)]}
    first = doubts[0]
    assert first["given"] != first["suggested"]
    assert first["utterance"] in {row["utterance"] for row in rows}
    assert [doubt["belief"] for doubt in doubts] == sorted(doubt["belief"] for doubt in doubts)
    assert str(first["utterance"]) not in done.stdout + done.stderr


def row(name: str, utterance: str, previous: str = "") -> Row:
    return Row(Turn(utterance, previous), {}, f"rows:{name}", f"f/{name}", id=name)


def test_near_turns_are_found_and_counted_once() -> None:
    rows = [
        row("a", "con vừa xếp xong cái tháp cao bằng đầu con luôn"),
        row("b", "con vua xep xong cai thap cao bang dau con luon"),
        row("c", "bà ngoại kể chuyện ông bụt cho con nghe"),
        row("d", "bà ngoại kể chuyện ông bụt cho con nghe", previous="Hôm nay con làm gì?"),
        row("e", "my goldfish has three stripes"),
    ]
    measure = Nearness(rows)
    nearest = measure.nearest(rows, rows)
    assert nearest[0] == pytest.approx(1.0, abs=1e-6)  # diacritics do not part them
    assert 0.5 < nearest[2] < 0.9  # another question before makes another turn
    assert nearest[4] < 0.3
    assert measure.distinct(rows) == 4
    found = shares(nearest)
    assert found["n"] == 5
    assert found["0.9"] == pytest.approx(0.4)
    assert measure.nearest(rows[:1], rows[1:])[0] == pytest.approx(1.0, abs=1e-6)
    assert measure.nearest(rows[:1], rows[2:])[0] < 0.3
