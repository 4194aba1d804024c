"""The teacher's bias and calibration: known cases, and ``python -m distill audit`` as people run it."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.audit import audit
from distill.debias import Debias, mean_answers, rounded, to_heads
from distill.labelled import Labelled
from tests.conftest import small_rows, write_jsonl
from tests.servers import stub_server
from tinyclf import LabelSet
from tinyclf.labelfile import parse_labels
from tinyclf.llm.answer import Raw
from tinyclf.llm.question import orders

MOODS = parse_labels({"name": "moods", "heads": [{"name": "mood", "classes": [{"name": n} for n in "abcd"]}]})


def folder(raws: list[Raw], gold: list[int]) -> Labelled:
    """A labelled folder in memory, every row a family of its own."""
    rows = [
        {"key": f"k{i}", "family": f"f{i}", "lang": "en", "utterance": "x y z w" if i % 2 else "x", "previous": None,
         "reply": None, "id": str(i), "mood_gold": "abcd"[place]}
        for i, place in enumerate(gold)
    ]  # fmt: skip
    report = {"style": "letter", "teacher": "t", "revision": "", "prompt_sha256": "p", "server": "s", "input": "i"}
    return Labelled(Path("folder"), MOODS, report, rows, raws, {})


def said(scores: np.ndarray) -> list[float]:
    raised = np.exp(scores - scores.max())
    return [float(p) for p in raised / raised.sum()]


def teacher(count: int, place_bias: float, option_bias: float, sharpness: float) -> tuple[list[Raw], list[int]]:
    """Answers of a teacher that knows the truth but also likes first places and the first option."""
    rng = np.random.default_rng(0)
    raws: list[Raw] = []
    gold = [int(g) for g in rng.integers(0, 4, count)]
    for right in gold:
        knows = rng.normal(0, 1, 4)
        knows[right] += 1.6
        knows[0] += option_bias
        rows = []
        for order in orders(4, 2):
            liked = np.zeros(4)
            liked[order[0]] += place_bias
            rows.append(said(sharpness * (knows + liked)))
        raws.append({"mood": rows})
    return raws, gold


def accuracy(raws: list[Raw], gold: list[int], debias: Debias) -> float:
    return float(np.mean([debias(raw)["mood"].argmax() == right for raw, right in zip(raws, gold, strict=True)]))


def test_averaging_over_orders_takes_away_the_liking_for_a_place() -> None:
    raws, gold = teacher(600, place_bias=1.5, option_bias=0, sharpness=1)
    one_order: list[Raw] = [{"mood": raw["mood"][:1]} for raw in raws]
    assert accuracy(raws, gold, Debias()) > accuracy(one_order, gold, Debias()) + 0.05


def test_batch_calibration_takes_away_the_liking_for_an_option() -> None:
    raws, gold = teacher(600, place_bias=0, option_bias=2, sharpness=1)
    assert accuracy(raws, gold, Debias(mean_answers(raws))) > accuracy(raws, gold, Debias()) + 0.1


def test_a_content_free_prior_is_divided_out_exactly() -> None:
    raw: Raw = {"mood": [[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]}
    assert Debias(mean_answers([raw]))(raw)["mood"] == pytest.approx([0.25] * 4)


def test_the_audit_finds_the_prior_and_the_temperature_that_suit() -> None:
    raws, gold = teacher(600, place_bias=0, option_bias=2, sharpness=3)
    found, calibration, _ = audit(folder(raws, gold))
    assert calibration.prior == found["best"] == "batch"
    assert 2 < calibration.temperatures["mood"] < 5
    figures = found["priors"]["batch"]["mood"]
    assert figures["ece after"] < 0.5 * figures["ece before"]
    assert figures["nll after"] < figures["nll before"]
    assert figures["kappa"] < figures["accuracy"]
    assert np.sum(figures["confusion"]) == 600
    assert figures["accuracy"] == pytest.approx(np.trace(figures["confusion"]) / 600)
    assert found["slices"]["1-3 words"]["mood"]["n"] == 300


def test_hard_labels_stay_hard(kitchen: LabelSet) -> None:
    raw: Raw = {"dish": [[0.0, 1.0, 0.0]], "allergens=nuts": [[1.0, 0.0]], "allergens=milk": [[0.0, 1.0]]}
    heads, margin = to_heads(kitchen, Debias()(raw))
    assert heads == {"dish": {"soup": 0.0, "cake": 1.0, "none": 0.0}, "allergens": {"nuts": 1.0, "milk": 0.0}}
    assert margin == 1


@given(st.lists(st.floats(1e-9, 1), min_size=2, max_size=52))
def test_rounded_probabilities_sum_to_one(weights: list[float]) -> None:
    p = rounded(np.array(weights) / sum(weights))
    assert sum(p) == pytest.approx(1, abs=1e-12)
    assert all(x >= 0 for x in p)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "distill", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    with stub_server() as url:
        yield url


@pytest.fixture(scope="module")
def gold(
    tmp_path_factory: pytest.TempPathFactory, kitchen_files: tuple[Path, Path], stub: str
) -> tuple[Path, list[object]]:
    """A folder labelled with gold beside, and how it was made."""
    place = tmp_path_factory.mktemp("audit")
    data = write_jsonl(place / "gold.jsonl", small_rows(80))
    how: list[object] = [data, "--labels", kitchen_files[1], "--backend", "vllm", "--url", stub]
    done = run("label", *how, "--out", place / "gold", "--prior", "content-free")
    assert done.returncode == 0, done.stderr
    return place / "gold", how


def test_an_audit_leaves_report_picture_review_and_calibration(gold: tuple[Path, list[object]], tmp_path: Path) -> None:
    place, how = gold
    done = run("audit", place)
    assert done.returncode == 0, done.stderr
    report = json.loads((place / "audit" / "report.json").read_text())
    assert set(report["priors"]) == {"none", "batch", "content-free"}
    figures = report["priors"][report["best"]]["dish"]
    assert set(figures) >= {"accuracy", "kappa", "macro-F1", "confusion", "ece before", "ece after", "brier after"}
    assert (place / "audit" / "confusion.png").read_bytes()[:4] == b"\x89PNG"
    text = (place / "audit" / "report.md").read_text()
    assert "Best prior" in text
    assert "## Slices" in text
    assert "Hardly better than chance" in text, "the stub's answers have nothing to do with gold"
    with (place / "audit" / "review.csv").open(newline="", encoding="utf-8") as file:
        review = list(csv.DictReader(file))
    assert {row["why"] for row in review} == {"differs from gold", "least sure"}
    assert all(row["gold"] != row["teacher"] for row in review if row["why"] == "differs from gold")
    calibrated = ("--calibration", place / "audit" / "calibration.json")
    again = run("label", *how, "--out", tmp_path / "o", *calibrated)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "o" / "job.json").read_text())["prior"]["kind"] == report["best"]
    other = run("label", *how, "--out", tmp_path / "p", "--shots", 0, *calibrated)
    assert other.returncode == 1
    assert "audit this teacher first" in other.stderr


def test_two_prompts_are_compared_row_by_row(gold: tuple[Path, list[object]], tmp_path: Path) -> None:
    place, how = gold
    hard = ("--style", "json", "--backend", "openai", "--out", tmp_path / "json")
    assert run("label", *how, *hard).returncode == 0
    done = run("audit", place, "--against", tmp_path / "json")
    assert done.returncode == 0, done.stderr
    beside = json.loads((place / "audit" / "report.json").read_text())["beside"]
    assert beside["rows"] == 80
    assert 0 <= beside["questions"]["dish"]["agreement"] < 1
    assert "teachers differ" in (place / "audit" / "review.csv").read_text()
    alone = run("audit", tmp_path / "json")  # hard labels: nothing to calibrate
    assert alone.returncode == 0, alone.stderr
    assert "no probabilities to calibrate" in alone.stderr


def test_an_audit_needs_a_labelled_folder_with_gold(
    kitchen_files: tuple[Path, Path], stub: str, tmp_path: Path
) -> None:
    assert "not a finished folder of `python -m distill label`" in run("audit", tmp_path).stderr
    data = write_jsonl(tmp_path / "rows.jsonl", [{"utterance": f"soup {i}"} for i in range(30)])
    how = ("--labels", kitchen_files[1], "--backend", "openai", "--style", "json", "--url", stub)
    assert run("label", data, *how, "--out", tmp_path / "out").returncode == 0
    done = run("audit", tmp_path / "out")
    assert done.returncode == 1
    assert "0 answered rows have gold labels; an audit needs 20" in done.stderr
