"""What a teacher said reaches the student: rows, weights, loss, splits, report and provenance."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from torch.nn import functional

from tests.conftest import small_rows, write_jsonl
from tinyclf import LabelSet, Turn
from tinyclf.bundle import read_bundle
from tinyclf.sources import read_records
from training.agreement import agreement
from training.fit import fit
from training.loop import predict
from training.loss import Taught, distillation, loss, taught_by, tempered
from training.metrics import kappa
from training.rows import Row, to_rows
from training.schedule import Schedule
from training.settings import Settings
from training.split import split_rows
from training.targets import gold_arrays, teacher_arrays

SMALL = ("--epochs", "20", "--batch", "8", "--dim", "16", "--filters", "32", "--no-augment")
NAN = float("nan")


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def write_labelled(path: Path, labels: LabelSet, rows: list[dict[str, Any]]) -> Path:
    """Rows in the columns and types of ``python -m distill label``."""
    fields: dict[str, pa.DataType] = dict.fromkeys(
        ("id", "lang", "family", "utterance", "previous", "reply"), pa.string()
    )
    for head in labels.heads:
        fields[head.name] = pa.struct([(name, pa.float64()) for name in head.names])
        fields[f"{head.name}_gold"] = pa.string() if head.kind == "one-of" else pa.list_(pa.string())
    fields |= dict.fromkeys(("label_mass", "margin"), pa.float64())
    fields |= dict.fromkeys(("teacher", "prompt_sha256", "server", "error"), pa.string())
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(fields.items()))), path)
    return path


def by_teacher(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of the kitchen as a teacher labels it that is sure but never quite."""
    rest = (1 - 0.9) / 2
    said: dict[str, Any] = {"dish": {name: 0.9 if name == row["dish"] else rest for name in ("soup", "cake", "none")}}
    said["allergens"] = {name: 0.8 if name in row["allergens"] else 0.1 for name in ("nuts", "milk")}
    kept: dict[str, Any] = {key: row[key] for key in ("id", "utterance", "family") if key in row}
    return {**kept, **said, "label_mass": 0.99, "margin": 0.7, "teacher": "kitchen-llm", "prompt_sha256": "ab", **more}


def soft_row(teacher: dict[str, dict[str, float]], gold: dict[str, dict[str, float]] | None = None) -> Row:
    return Row(Turn("x"), gold or {}, "here:1", "f", teacher=teacher, source=("t", "p"))


def test_a_labelled_table_is_read_as_it_was_written(tmp_path: Path, kitchen: LabelSet) -> None:
    soup = {"id": "1", "utterance": "hot soup", "dish": "soup", "allergens": ["milk"], "family": "f/1"}
    nothing = {"dish": None, "allergens": None, "label_mass": None, "margin": None}
    path = write_labelled(
        tmp_path / "part.parquet",
        kitchen,
        [
            by_teacher(soup),
            by_teacher(soup, dish_gold="cake", allergens_gold=[]),
            by_teacher(soup, allergens_gold=["nuts"]),
            by_teacher(soup, label_mass=None, margin=None),
            by_teacher(soup, **nothing, error="timeout"),
            by_teacher(soup, **nothing, error="timeout", dish_gold="cake"),
            by_teacher(soup, label_mass=1.5),
            by_teacher(soup, margin=NAN),
        ],
    )
    found = to_rows(read_records(str(path)), kitchen)
    alone, corrected, half, unweighted, gold_alone = found.good
    assert alone.gold == {}
    assert alone.targets == alone.teacher == {
        "dish": {"soup": 0.9, "cake": pytest.approx(0.05), "none": pytest.approx(0.05)},
        "allergens": {"nuts": 0.1, "milk": 0.8},
    }  # fmt: skip
    assert alone.weight == pytest.approx(0.99 * 1.7 / 2)
    assert alone.source == ("kitchen-llm", "ab")
    assert alone.family == "f/1"
    assert corrected.labels(kitchen) == {"dish": "cake", "allergens": ()}
    assert corrected.teacher == alone.teacher
    assert half.labels(kitchen) == {"dish": "soup", "allergens": ("nuts",)}
    assert corrected.weight == half.weight == alone.weight
    assert unweighted.weight == gold_alone.weight == 1
    assert gold_alone.teacher == {}
    assert gold_alone.source == ("", "")
    assert [bad.place.rpartition(" ")[2] for bad in found.bad] == ["5", "7", "8"]
    assert found.bad[0].reason == "the teacher gave no label (timeout); run `python -m distill label` again"
    assert "'label_mass' must be a number from 0 to 1" in found.bad[1].reason
    assert "'margin' must be a number from 0 to 1" in found.bad[2].reason


def test_two_gold_labels_that_differ_are_named(kitchen: LabelSet) -> None:
    record = {"utterance": "hot soup", "dish": "soup", "dish_gold": "cake"}
    found = to_rows([("x:1", record, ""), ("x:2", {**record, "dish_gold": "soup"}, "")], kitchen)
    assert [row.place for row in found.good] == ["x:2"]
    assert "two gold labels" in found.bad[0].reason


@given(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=6), st.booleans(), st.lists(st.integers())))
def test_any_weight_is_one_or_is_refused(kitchen: LabelSet, value: object) -> None:
    record = {"utterance": "hot soup", "dish": {"soup": 0.7, "cake": 0.3}, "label_mass": value, "margin": value}
    found = to_rows([("x:1", record, "")], kitchen)
    assert len(found.good) + len(found.bad) == 1
    assert all(0 <= row.weight <= 1 for row in found.good)
    assert all("label_mass" in bad.reason for bad in found.bad)
    plain = to_rows([("x:1", {**record, "dish": "soup"}, "")], kitchen)
    assert plain.good[0].weight == 1  # without a teacher these columns mean nothing


def test_tempering_by_hand(kitchen: LabelSet) -> None:
    dish, allergens = kitchen.heads
    assert tempered(dish, torch.tensor([[0.9, 0.1, 0.0]]), 2.0)[0].tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert tempered(allergens, torch.tensor([[0.9, 0.0]]), 2.0)[0].tolist() == pytest.approx([0.75, 0.0])


@given(st.integers(0, 1000), st.floats(0.2, 8))
def test_distillation_is_torch_s_kl_div(kitchen: LabelSet, seed: int, temperature: float) -> None:
    dish, allergens = kitchen.heads
    torch.manual_seed(seed)
    scores, wanted = torch.randn(5, 3), torch.randn(5, 3)
    found = distillation(dish, scores, torch.softmax(wanted, 1), temperature)
    log_q, p = torch.log_softmax(scores / temperature, 1), torch.softmax(wanted / temperature, 1)
    torch.testing.assert_close(found.mean(), temperature**2 * functional.kl_div(log_q, p, reduction="batchmean"))
    scores, wanted = torch.randn(5, 2), torch.randn(5, 2)
    found = distillation(allergens, scores, torch.sigmoid(wanted), temperature)
    both = [torch.stack([z, torch.zeros_like(z)], -1) / temperature for z in (scores, wanted)]
    each = functional.kl_div(torch.log_softmax(both[0], -1), torch.softmax(both[1], -1), reduction="none").sum(-1)
    torch.testing.assert_close(found, temperature**2 * each.mean(1), rtol=1e-4, atol=1e-5)


def test_a_student_that_agrees_costs_nothing_and_one_hot_is_finite(kitchen: LabelSet) -> None:
    dish, allergens = kitchen.heads
    p = torch.tensor([[0.7, 0.2, 0.1]])
    assert float(distillation(dish, p.log(), p, 3.0)) == pytest.approx(0, abs=1e-6)
    hard = torch.tensor([[1.0, 0.0, 0.0]])
    assert float(distillation(dish, torch.zeros(1, 3), hard, 2.0)) == pytest.approx(4 * math.log(3))
    assert float(distillation(allergens, torch.zeros(1, 2), hard[:, :2], 1.0)) == pytest.approx(math.log(2))


def test_gold_alone_costs_what_it_costs_without_a_teacher_to_the_bit(kitchen: LabelSet) -> None:
    torch.manual_seed(0)
    logits = {"dish": torch.randn(6, 3), "allergens": torch.randn(6, 2)}
    gold = {"dish": torch.eye(3)[[0, 1, 2, 0, 1, 2]], "allergens": torch.full((6, 2), NAN)}
    expected = functional.cross_entropy(logits["dish"], gold["dish"] * 0.85 + 0.15 / 3)
    silent = Taught({name: torch.full_like(array, NAN) for name, array in gold.items()}, torch.rand(6))
    assert loss(logits, gold, kitchen, 0.15).equal(torch.zeros(()) + expected)
    assert loss(logits, gold, kitchen, 0.15, silent).equal(loss(logits, gold, kitchen, 0.15))


def test_gold_teacher_and_both_are_mixed_and_weighted(kitchen: LabelSet) -> None:
    dish = kitchen.heads[0]
    logits = {"dish": torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5], [9.0, 0.0, 0.0]])}
    logits["allergens"] = torch.zeros(4, 2)
    none = [NAN] * 3
    gold = {"dish": torch.tensor([[1.0, 0, 0], none, [0, 0, 1.0], none]), "allergens": torch.full((4, 2), NAN)}
    teacher = {"dish": torch.tensor([none, [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], none]), "allergens": gold["allergens"]}
    taught = Taught(teacher, torch.tensor([1.0, 0.25, 0.1, 1.0]), temperature=2.0, gold_share=0.3)
    ce = [
        float(functional.cross_entropy(logits["dish"][i : i + 1], gold["dish"][i : i + 1] * 0.9 + 0.1 / 3))
        for i in (0, 2)
    ]
    kd = distillation(dish, logits["dish"][1:3], teacher["dish"][1:3], 2.0).tolist()
    expected = (ce[0] + 0.25 * kd[0] + 0.3 * ce[1] + 0.7 * kd[1]) / 2.25
    assert float(loss(logits, gold, kitchen, 0.1, taught)) == pytest.approx(expected, rel=1e-5)
    nothing = replace(taught, weights=torch.zeros(4))
    only_gold = (ce[0] + 0.3 * ce[1] + 0.7 * kd[1]) / 2
    assert float(loss(logits, gold, kitchen, 0.1, nothing)) == pytest.approx(only_gold, rel=1e-5)


def test_the_loss_sends_no_nan_back(kitchen: LabelSet) -> None:
    rows = [
        soft_row({"dish": {"soup": 1.0}}),
        soft_row({"allergens": {"nuts": 1.0}}, {"dish": {"cake": 1.0}}),
        soft_row({}, {"dish": {"none": 1.0}}),
    ]
    logits = {"dish": torch.randn(3, 3, requires_grad=True), "allergens": torch.randn(3, 2, requires_grad=True)}
    gold = {name: torch.from_numpy(array) for name, array in gold_arrays(rows, kitchen).items()}
    loss(logits, gold, kitchen, 0.1, taught_by(rows, kitchen, 2.0, 0.5)).backward()  # type: ignore[no-untyped-call]
    for tensor in logits.values():
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert logits["allergens"].grad is not None
    assert logits["allergens"].grad[[0, 2]].eq(0).all()


def test_hard_labels_are_the_most_likely_ones(kitchen: LabelSet) -> None:
    rows = [soft_row({"dish": {"soup": 0.6, "cake": 0.4}, "allergens": {"nuts": 0.5, "milk": 0.4}})]
    assert teacher_arrays(rows, kitchen)["dish"].tolist()[0] == pytest.approx([0.6, 0.4, 0.0])
    hard = taught_by(rows, kitchen, 4.0, 0.5, hard=True)
    assert hard is not None
    assert hard.temperature == 1
    assert {name: array.tolist() for name, array in hard.teacher.items()} == {
        "dish": [[1.0, 0.0, 0.0]],
        "allergens": [[1.0, 0.0]],
    }
    assert taught_by([soft_row({}, {"dish": {"soup": 1.0}})], kitchen, 2.0, 0.5) is None


@given(
    st.lists(st.tuples(st.sampled_from(["Soup!", "soup", "cake", "xúp", "?", "!"]), st.integers(0, 40)), max_size=30)
)
def test_no_turn_stands_in_two_splits(said: list[tuple[str, int]]) -> None:
    rows = [Row(Turn(text), {}, f"x:{i}", f"f/{family}") for i, (text, family) in enumerate(said)]
    splits = split_rows(rows)
    parts = splits.parts()
    assert sum(map(len, parts.values())) == len(rows)
    for twins in ({"Soup!", "soup"}, {"cake"}, {"xúp"}, {"?"}, {"!"}):
        assert sum(any(row.turn.utterance in twins for row in part) for part in parts.values()) <= 1
    alone = {row.place: name for row in rows for name, part in split_rows([row]).parts().items() if part}
    assert splits.moved == sum(alone[row.place] != name for name, part in parts.items() for row in part)


def test_agreement_by_hand(kitchen: LabelSet) -> None:
    rows = [
        soft_row({"dish": {"soup": 0.5, "cake": 0.5 - 1e-6, "none": 1e-6}}, {"dish": {"soup": 1.0}}),
        soft_row({"dish": {"cake": 1.0}}, {"dish": {"soup": 1.0}}),
        soft_row({"dish": {"cake": 1.0}}),
        Row(Turn("x"), {"dish": {"none": 1.0}}, "here:2", "f"),
    ]
    given_dish = np.array([[0.5, 0.5 - 1e-6, 1e-6], [0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05]])
    found = agreement(kitchen, rows, {"dish": given_dish, "allergens": np.zeros((4, 2))})
    assert found["rows"] == 3
    dish = found["student_teacher"]["dish"]
    assert (dish["n"], dish["accuracy"]) == (3, pytest.approx(2 / 3))
    assert dish["kl"] == pytest.approx((0 + math.log(4) + math.log(1 / 0.8)) / 3, abs=1e-4)
    assert dish["kappa"] == pytest.approx(cohen_kappa_score([0, 0, 1], [0, 1, 1]))
    assert found["teacher_gold"]["dish"] == {"n": 2, "accuracy": 0.5, "kappa": 0.0}
    assert found["student_gold"]["dish"] == {"n": 2, "accuracy": 1.0, "kappa": None}
    assert found["student_teacher"]["allergens"] == {"n": 0, "accuracy": None, "kappa": None, "kl": None}
    assert agreement(kitchen, rows[3:], {"dish": given_dish[3:], "allergens": np.zeros((1, 2))}) == {}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_kappa_is_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    if (found := kappa(one, other)) is not None:
        assert found == pytest.approx(cohen_kappa_score(one, other))
    else:
        assert len({*one, *other}) == 1


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory, kitchen: LabelSet, kitchen_files: tuple[Path, Path]) -> Path:
    """A run on gold rows and a labelled folder, which holds copies of some of them under other families."""
    folder = tmp_path_factory.mktemp("distilled")
    copies = [by_teacher({**row, "family": f"copy/{i}"}) for i, row in enumerate(small_rows(300)) if i % 3 == 0]
    fresh = [by_teacher(row) for row in small_rows(200, seed=5)]
    judged = [by_teacher(row, dish_gold=row["dish"], prompt_sha256="cd") for row in small_rows(200, seed=6)]
    write_labelled(folder / "labelled" / "part-0.parquet", kitchen, copies + fresh)
    write_labelled(folder / "labelled" / "part-1.parquet", kitchen, judged)
    data, labels = kitchen_files
    both = ("--data", data, "--data", folder / "labelled")
    done = run("training", "fit", *both, "--labels", labels, "--out", folder / "run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "copies of turns moved to the split of the first copy" in done.stderr
    assert "agreement on the" in done.stdout
    return folder


def test_a_corpus_and_a_labelled_folder_train_together(distilled: Path) -> None:
    report = json.loads((distilled / "run" / "report.json").read_text())
    config = json.loads((distilled / "run" / "config.json").read_text())
    assert sum(report["splits"].values()) == 300 + 100 + 200 + 200 + 1  # and the label set's example
    assert config["teachers"] == [
        {"teacher": "kitchen-llm", "prompt_sha256": "ab", "rows": 300},
        {"teacher": "kitchen-llm", "prompt_sha256": "cd", "rows": 200},
    ]
    assert config["settings"]["schedule"]["distill_temperature"] == 1.0
    teacher = report["teacher"]
    assert teacher["rows"] > 20
    for head in ("dish", "allergens"):
        assert teacher["student_teacher"][head]["accuracy"] > 0.8
        assert teacher["student_teacher"][head]["kl"] < 1.5
    assert teacher["teacher_gold"]["dish"]["accuracy"] == 1.0
    assert teacher["teacher_gold"]["allergens"]["n"] == 0
    assert report["test"]["balanced"]["heads"]["dish"]["accuracy"] > 0.8


def test_soft_labels_are_learnt_as_soft_and_hard_ones_as_hard(tmp_path: Path, kitchen: LabelSet) -> None:
    unsure = {
        "soup": {"soup": 0.6, "cake": 0.4},
        "cake": {"cake": 0.7, "none": 0.3},
        "none": {"none": 0.9, "soup": 0.1},
    }
    records = [{"utterance": row["utterance"], "dish": unsure[str(row["dish"])]} for row in small_rows(300)]
    rows = to_rows(((f"x:{i}", record, "") for i, record in enumerate(records)), kitchen).good
    splits = split_rows([replace(row, family=row.place) for row in rows])
    divergence = {}
    for hard in (False, True):
        schedule = Schedule(epochs=30, patience=30, batch=8, distill_temperature=2.0, hard=hard)
        settings = Settings(dim=16, filters=32, schedule=schedule, augment=False)
        found = fit(kitchen, splits, settings, tmp_path / str(hard))
        logits = predict(found.student, found.encoder, [row.turn for row in splits.test])["dish"]
        wanted = torch.from_numpy(teacher_arrays(splits.test, kitchen)["dish"])
        divergence[hard] = float(distillation(kitchen.heads[0], torch.from_numpy(logits), wanted, 1.0).mean())
    assert divergence[False] < 0.1 < divergence[True]


def test_the_manifest_and_the_card_name_the_teachers(distilled: Path) -> None:
    done = run("export", "bundle", "--run", distilled / "run", "--out", distilled / "bundle")
    assert done.returncode == 0, done.stderr
    bundle = read_bundle(distilled / "bundle")
    assert [t["rows"] for t in bundle.manifest["provenance"]["teachers"]] == [300, 200]
    assert "lineage" not in bundle.manifest
    assert "kitchen-llm" in (distilled / "bundle" / "MODEL_CARD.md").read_text()


def test_other_teaching_is_another_run_only_with_a_teacher(
    distilled: Path, tmp_path: Path, kitchen_files: tuple[Path, Path]
) -> None:
    data, labels = kitchen_files
    fit = ("fit", "--data", data, "--labels", labels, "--epochs", 2, *SMALL[2:])
    assert run("training", *fit, "--out", tmp_path / "gold").returncode == 0
    config = json.loads((tmp_path / "gold" / "config.json").read_text())
    assert "teachers" not in config
    assert not {"distill_temperature", "gold_share", "hard"} & set(config["settings"]["schedule"])
    assert "teacher" not in json.loads((tmp_path / "gold" / "report.json").read_text())
    again = run("training", *fit, "--out", tmp_path / "gold", "--distill-temperature", 3, "--hard")
    assert again.returncode == 0, again.stderr
    both = ("--data", data, "--data", distilled / "labelled", "--labels", labels, "--out", distilled / "run", *SMALL)
    other = run("training", "fit", *both, "--hard")
    assert other.returncode == 1
    assert "holds a run of other settings" in other.stderr


@pytest.mark.parametrize(("option", "value"), [("--gold-share", 1.5), ("--distill-temperature", 0)])
def test_bad_teaching_is_named(tmp_path: Path, kitchen_files: tuple[Path, Path], option: str, value: float) -> None:
    fit = ("fit", "--data", kitchen_files[0], "--labels", kitchen_files[1], "--out", tmp_path / "run")
    done = run("training", *fit, option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert not (tmp_path / "run").exists()


def test_rows_without_a_label_stop_the_fit_and_are_not_quoted(
    tmp_path: Path, kitchen: LabelSet, kitchen_files: tuple[Path, Path]
) -> None:
    secret = {"utterance": "my secret words", "teacher": "kitchen-llm", "error": "timeout"}
    write_labelled(tmp_path / "labelled" / "part.parquet", kitchen, [secret])
    fit = ("fit", "--data", kitchen_files[0], "--data", tmp_path / "labelled", "--labels", kitchen_files[1])
    done = run("training", *fit, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "part.parquet:row 1: the teacher gave no label (timeout)" in done.stderr
    assert "secret" not in done.stderr + done.stdout


def test_the_authored_corpus_keeps_its_checks_among_others(tmp_path: Path) -> None:
    from tinyclf import default_labels
    from training.corpus import CORPUS, read_corpus, read_data

    labels = default_labels()
    other = write_jsonl(tmp_path / "more.jsonl", [{"utterance": "hello pika", labels.heads[0].name: "?"}])
    rows = read_data([str(CORPUS), str(other)], labels, "utterance", authored=True)
    assert rows.good == read_corpus(labels).good
    assert [bad.place for bad in rows.bad] == [f"{other}:1"]
