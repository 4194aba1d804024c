"""``python -m training compare`` and ``python -m export promote``, on a strong and a weak bundle of another trade."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tests.conftest import SMALL_LABELS, small_rows, write_jsonl
from tinyclf import Classifier, DataError, LabelSet, TinyclfError
from tinyclf.bundle import CARD, MODEL, TOKENIZER, read_bundle
from tinyclf.sources import read_records
from training.compare import compare
from training.metrics import mcnemar
from training.paired import BETTER, MIXED, UNPROVEN, WORSE, verdict_of
from training.rows import Rows, to_rows

SMALL = ("--patience", "20", "--batch", "8", "--dim", "16", "--filters", "32", "--no-augment")


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def kitchen_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows whose gold never is what the guard of the kitchen forbids."""
    rows: list[dict[str, Any]] = list(small_rows(count, seed))
    return [row for row in rows if row["dish"] != "soup" or "milk" not in row["allergens"]]


def unseen() -> list[dict[str, Any]]:
    """Rows that no bundle here was trained on; each says a word that no terminal may show."""
    rows = kitchen_rows(200, seed=11)[:150]
    return [{**row, "utterance": f"{row['utterance']} zebra{i}", "lang": "ab"[i % 2]} for i, row in enumerate(rows)]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, kitchen_files: tuple[Path, Path]) -> Path:
    """A folder with the bundles ``strong`` and ``weak``, gold rows that they never saw, and ``compared``."""
    folder = tmp_path_factory.mktemp("bundles")
    data, labels = write_jsonl(folder / "rows.jsonl", kitchen_rows(700, seed=0)), kitchen_files[1]
    for name, epochs in (("strong", 20), ("weak", 1)):
        fit = ("fit", "--data", data, "--labels", labels, "--out", folder / "runs" / name, "--epochs", epochs, *SMALL)
        assert run("training", *fit).returncode == 0
        assert run("export", "bundle", "--run", folder / "runs" / name, "--out", folder / name).returncode == 0
    gold = write_jsonl(folder / "gold.jsonl", unseen())
    for old, new in (("weak", "strong"), ("strong", "weak"), ("strong", "strong")):
        done = run("training", "compare", folder / old, folder / new, "--data", gold, "--out", folder / f"{old}-{new}")
        assert done.returncode == 0, done.stderr
        (folder / f"{old}-{new}" / "said.txt").write_text(done.stdout + done.stderr)
    return folder


def comparison(bundles: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundles / name / "compare.json").read_text())
    return found


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_discordant_rows(lost: int, won: int) -> None:
    expected = min(1.0, 2 * float(binom.cdf(min(lost, won), lost + won, 0.5))) if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lost", "won", "spared", "verdict"),
    [
        (0, 0, (30, 30), UNPROVEN),
        (2, 6, (30, 30), UNPROVEN),
        (1, 20, (30, 30), BETTER),
        (1, 20, (29, 30), BETTER),
        (1, 20, (30, 29), MIXED),
        (2, 6, (30, 29), UNPROVEN),
        (20, 1, (29, 30), WORSE),
        (1, 20, (30, 20), WORSE),
    ],
)
def test_the_verdict_follows_the_tests(lost: int, won: int, spared: tuple[int, int], verdict: str) -> None:
    tests = {
        "all heads": {"n": 100, "old": 50, "new": 50 - lost + won, "lost": lost, "won": won, "p": mcnemar(lost, won)},
        "guards": {
            "hiding": {"n": 30, "old": spared[0], "new": spared[1], "p": mcnemar(max(spared[0] - spared[1], 0), 0)}
        },
    }
    found, reasons = verdict_of(tests)
    assert found == verdict
    more = [reason for reason in reasons if "more guarded mistakes than before" in reason]
    assert len(more) == (spared[1] < spared[0])


def test_a_stronger_bundle_is_better_and_a_weaker_one_worse(bundles: Path) -> None:
    up, down, same = (comparison(bundles, name) for name in ("weak-strong", "strong-weak", "strong-strong"))
    assert (up["verdict"], down["verdict"], same["verdict"]) == (BETTER, WORSE, UNPROVEN)
    assert up["rows"] == 150
    for name, test in up["tests"]["heads"].items():
        assert (test["lost"], test["won"]) == (
            down["tests"]["heads"][name]["won"],
            down["tests"]["heads"][name]["lost"],
        )
        assert test["new"] / test["n"] == pytest.approx(up["new"]["metrics"]["heads"][name]["accuracy"])
    everything = up["tests"]["all heads"]
    assert everything["new"] / everything["n"] == pytest.approx(up["new"]["metrics"]["exact"])
    assert everything["new"] - everything["old"] == everything["won"] - everything["lost"]
    assert len(down["regressions"]) == down["tests"]["all heads"]["lost"] > 20
    assert same["tests"]["all heads"]["p"] == 1
    assert same["regressions"] == []
    for found, folder, side in ((up, "weak", "old"), (up, "strong", "new")):
        assert found[side]["manifest_sha256"] == read_bundle(bundles / folder).manifest["sha256"]
        guard = found[side]["metrics"]["guards"]["hiding milk"]
        assert guard["turns"] - guard["mistakes"] == found["tests"]["guards"]["hiding milk"][side]


def test_slices_in_which_the_new_one_is_worse_are_named(bundles: Path) -> None:
    down = comparison(bundles, "strong-weak")
    assert down["slices"]["lang=a"]["worse"]
    assert down["slices"]["lang=a"]["n"] == 75
    assert "slices in which the new bundle is worse" in (bundles / "strong-weak" / "compare.md").read_text()
    assert "slices in which the new bundle is worse" in (bundles / "strong-weak" / "said.txt").read_text()
    assert not any(test["worse"] for test in comparison(bundles, "strong-strong")["slices"].values())


def test_regressed_rows_are_kept_whole_for_people_and_quoted_nowhere_else(bundles: Path, kitchen: LabelSet) -> None:
    folder = bundles / "strong-weak"
    lines = [json.loads(line) for line in (folder / "regressions.jsonl").read_text().splitlines()]
    regressions = comparison(bundles, "strong-weak")["regressions"]
    assert [line["id"] for line in lines] == [regression["id"] for regression in regressions]
    known = {row["id"]: row for row in unseen()}
    for line, regression in zip(lines, regressions, strict=True):
        row = known[line["id"]]
        assert {key: line[key] for key in row} == row
        assert line["old"] == {"dish": row["dish"], "allergens": sorted(row["allergens"], reverse=True)}
        assert line["new"] == regression["new"] != line["old"]
        assert regression["place"].endswith(f"gold.jsonl:{list(known).index(line['id']) + 1}")
    assert not to_rows(read_records(str(folder / "regressions.jsonl")), kitchen).bad
    for name in ("said.txt", "compare.json", "compare.md"):
        assert "zebra" not in (folder / name).read_text()
    assert f"{regressions[0]['id']} " in (folder / "said.txt").read_text()


def test_worse_fails_only_when_asked(bundles: Path) -> None:
    gold = bundles / "gold.jsonl"
    done = run("training", "compare", bundles / "strong", bundles / "weak", "--data", gold, "--fail-if-worse")
    assert done.returncode == 1
    assert "verdict: worse" in done.stdout
    assert not (bundles / "compare.json").exists()
    done = run("training", "compare", bundles / "strong", bundles / "strong", "--data", gold, "--fail-if-worse")
    assert done.returncode == 0
    assert "verdict: no proven difference" in done.stdout


def test_gold_alone_judges_and_blank_turns_get_the_default(bundles: Path, kitchen: LabelSet) -> None:
    soft = {"dish": {"cake": 1.0}}
    records: list[dict[str, Any]] = [
        {"utterance": "hot soup", "dish": "soup"},
        {"utterance": "hot soup", "dish_gold": "soup", **soft},
        {"utterance": "hot soup", **soft},
        {"utterance": "\u200b", "dish": "none", "allergens": []},
        {"utterance": "\ud800 soup", "dish": "cake"},
    ]
    rows = to_rows(((f"x:{i}", record, "") for i, record in enumerate(records)), kitchen)
    strong = Classifier.load(bundles / "strong")
    found, _ = compare(strong, strong, rows.good)
    assert found["rows"] == 4
    assert found["tests"]["heads"]["dish"]["new"] == 3
    assert found["tests"]["heads"]["allergens"] == {"n": 1, "old": 1, "new": 1, "lost": 0, "won": 0, "p": 1.0}
    with pytest.raises(DataError, match="no row has a gold label"):
        compare(strong, strong, [row for row in rows.good if not row.gold])


def test_rows_that_no_utf8_can_hold_are_written_too(bundles: Path, kitchen: LabelSet, tmp_path: Path) -> None:
    from training.compare_report import comparison_markdown, regression_lines

    records = [{"utterance": f"{row['utterance']} \ud800", "dish": row["dish"]} for row in small_rows(60, seed=3)]
    rows: Rows = to_rows(((f"x:{i}", record, "") for i, record in enumerate(records)), kitchen)
    found, regressed = compare(Classifier.load(bundles / "strong"), Classifier.load(bundles / "weak"), rows.good)
    assert regressed
    lines = regression_lines(regressed).encode().decode().splitlines()
    assert json.loads(lines[0])["utterance"] == regressed[0].row.turn.utterance
    assert comparison_markdown(found).encode()


def test_bundles_of_other_label_sets_and_bad_data_are_refused(bundles: Path, tmp_path: Path) -> None:
    gold = bundles / "gold.jsonl"
    done = run("training", "compare", "tinyclf/default", bundles / "strong", "--data", gold)
    assert done.returncode == 1
    assert "differ in their heads or classes" in done.stderr
    done = run("training", "compare", bundles / "weak", bundles / "strong")
    assert done.returncode == 1
    assert "give gold rows of it by --data" in done.stderr
    bad = write_jsonl(tmp_path / "bad.jsonl", [*unseen()[:3], {"utterance": "my zebra", "dish": "pie"}])
    done = run("training", "compare", bundles / "weak", bundles / "strong", "--data", bad)
    assert done.returncode == 1
    assert "bad.jsonl:4: head 'dish': unknown class" in done.stderr
    assert "compare without them by --skip-bad" in done.stderr
    assert "zebra" not in done.stderr
    done = run("training", "compare", bundles / "weak", bundles / "strong", "--data", bad, "--skip-bad")
    assert done.returncode == 0, done.stderr
    done = run("training", "compare", bundles / "weak", bundles / "strong", "--data", gold, "--point", "bold")
    assert "no operating point 'bold'" in done.stderr


def test_other_guards_are_other_questions(kitchen: LabelSet, tmp_path: Path) -> None:
    from tinyclf import read_labels
    from training.compare import same_questions

    (tmp_path / "labels.toml").write_text(SMALL_LABELS.replace('dish = "soup" }\nwhen', 'dish = "cake" }\nwhen'))
    with pytest.raises(DataError, match="guards"):
        same_questions(kitchen, read_labels(tmp_path / "labels.toml"))
    (tmp_path / "labels.toml").write_text(SMALL_LABELS.replace("a bowl of hot soup", "soup"))
    assert same_questions(kitchen, read_labels(tmp_path / "labels.toml")).examples != kitchen.examples


def promoted(
    bundles: Path, old: Path, new: Path, compared: Path, out: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    return run(
        "export", "promote", new, "--replaces", old, "--comparison", compared / "compare.json", "--out", out, *more
    )


def test_a_promoted_bundle_tells_its_descent(bundles: Path, tmp_path: Path) -> None:
    weak, strong = read_bundle(bundles / "weak"), read_bundle(bundles / "strong")
    use = Path(shutil.copytree(bundles / "weak", tmp_path / "in use"))
    done = promoted(bundles, use, bundles / "strong", bundles / "weak-strong", use)
    assert done.returncode == 0, done.stderr
    assert "bundles before it: 1; the comparison says: better" in done.stderr
    made = read_bundle(use)
    assert made.model == strong.model
    assert made.tokenizer == strong.tokenizer
    (entry,) = made.manifest["lineage"]
    assert entry["name"] == "kitchen"
    assert entry["manifest_sha256"] == weak.manifest["sha256"]
    assert entry["rows_sha256"] == weak.manifest["provenance"]["rows_sha256"]
    assert entry["comparison"]["verdict"] == "better"
    assert entry["comparison"]["candidate_sha256"] == strong.manifest["sha256"]
    changed = {"lineage", "files", "sha256"}
    assert {k: v for k, v in made.manifest.items() if k not in changed} == {
        k: v for k, v in strong.manifest.items() if k not in changed
    }
    card = (use / CARD).read_text()
    assert "## Lineage" in card
    assert weak.manifest["sha256"][:12] in card
    assert (
        card.replace(card[card.index("## Lineage") : card.index("## Where it ends")], "")
        == (bundles / "strong" / CARD).read_text()
    )
    assert Classifier.load(use)("hot soup")["dish"] == "soup"

    gold = bundles / "gold.jsonl"
    assert run("training", "compare", use, bundles / "strong", "--data", gold, "--out", tmp_path / "c").returncode == 0
    done = promoted(bundles, use, bundles / "strong", tmp_path / "c", tmp_path / "third")
    assert done.returncode == 0, done.stderr
    line = read_bundle(tmp_path / "third").manifest["lineage"]
    assert [one["manifest_sha256"] for one in line] == [weak.manifest["sha256"], made.manifest["sha256"]]
    assert [one["comparison"]["verdict"] for one in line] == ["better", "no proven difference"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "in use", "third"]


def test_a_worse_candidate_needs_force(bundles: Path, tmp_path: Path) -> None:
    done = promoted(bundles, bundles / "strong", bundles / "weak", bundles / "strong-weak", tmp_path / "out")
    assert done.returncode == 1
    assert "the candidate is worse" in done.stderr
    assert "--force" in done.stderr
    assert not (tmp_path / "out").exists()
    done = promoted(bundles, bundles / "strong", bundles / "weak", bundles / "strong-weak", tmp_path / "out", "--force")
    assert done.returncode == 0, done.stderr
    assert read_bundle(tmp_path / "out").manifest["lineage"][0]["comparison"]["verdict"] == "worse"


def test_a_comparison_of_other_bundles_is_refused(bundles: Path, tmp_path: Path) -> None:
    for old, new, compared in (("strong", "weak", "weak-strong"), ("weak", "strong", "strong-strong")):
        done = promoted(bundles, bundles / old, bundles / new, bundles / compared, tmp_path / "out", "--force")
        assert done.returncode == 1
        assert "compares other bundles" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"old": 1, "new": 2, "tests": []}', "\ud800"])
def test_what_is_no_comparison_is_refused(bundles: Path, tmp_path: Path, content: str) -> None:
    from export.promote import promote

    path = tmp_path / "compare.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    for comparison in (path, tmp_path / "nowhere.json"):
        with pytest.raises(TinyclfError, match="not a comparison"):
            promote(bundles / "strong", bundles / "weak", comparison, tmp_path / "out")


def test_a_folder_that_is_no_bundle_is_not_replaced(bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("x")
    done = promoted(bundles, bundles / "weak", bundles / "strong", bundles / "weak-strong", tmp_path / "photos")
    assert done.returncode == 1
    assert "is no bundle" in done.stderr
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["one.jpg"]


def test_the_default_bundle_is_exported_as_before(bundles: Path) -> None:
    for name in ("strong", "weak"):
        bundle = read_bundle(bundles / name)
        assert "lineage" not in bundle.manifest
        assert "teachers" not in bundle.manifest["provenance"]
        assert set(bundle.manifest["files"]) == {MODEL, TOKENIZER, CARD}


@pytest.mark.parametrize("arguments", [("training", "compare"), ("export", "promote")])
def test_help_teaches(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
