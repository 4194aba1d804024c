"""The authored corpus keeps its promises, and a bad row in it is named."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.corpus import topic_alone
from tinyclf import default_labels
from training.corpus import CORPUS, DATA, DISTRESS, FIELD, TEST_ONLY, counts, overlap, read_corpus
from training.rows import Row
from training.split import SHARES, part_of, split_rows


@pytest.fixture(scope="module")
def corpus() -> Sequence[Row]:
    return read_corpus(default_labels()).good


@pytest.fixture(scope="module")
def field() -> Sequence[Row]:
    return read_corpus(default_labels(), FIELD).good


def test_the_corpus_is_large_and_covers_every_class_in_every_language(corpus: Sequence[Row]) -> None:
    found = counts(corpus, default_labels())
    assert found["rows"] >= 15_000
    assert found["topics"] >= 60
    assert found["with_previous"] >= 0.3 * found["rows"]
    assert found["with_reply"] >= 0.1 * found["rows"]
    for lang, least in (("vi", 0.55), ("en", 0.25), ("mix", 0.15)):
        assert found["languages"][lang] >= least * found["rows"]
    for by_language in found["classes"].values():
        assert set(by_language) == {"vi", "en", "mix"}


def test_the_field_set_is_apart(corpus: Sequence[Row], field: Sequence[Row]) -> None:
    assert len(field) >= 800
    assert overlap(corpus, field) == []


def test_the_distress_set_is_apart_and_all_of_it_is_guarded(corpus: Sequence[Row]) -> None:
    labels = default_labels()
    rows = read_corpus(labels, DISTRESS).good
    assert len(rows) >= 400
    assert overlap(corpus, rows) == []
    guard = labels.guards[0]
    assert all(
        (head, row.labels(labels)[head]) in guard.when for row in rows for head in {head for head, _ in guard.when}
    )
    assert {row.topic for row in rows} == {"cheerful", "plain"}


def test_every_row_was_labelled_twice_and_has_the_label_that_stood(corpus: Sequence[Row]) -> None:
    """The second label is the first, or follows a ruling against it; a third label did not contradict."""
    labels = default_labels()
    rows = {row.id: row for folder in (CORPUS, *TEST_ONLY.values()) for row in read_corpus(labels, folder).good}
    seen: set[str] = set()
    ruled = 0
    for file in (DATA / "twice").glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            given = json.loads(line)
            if given["id"] in rows:
                last = given["third" if file.stem == "triage" else "second"]
                assert rows[given["id"]].labels(labels) == last, given["id"]
                ruled += given["first"] != last
                seen |= {given["id"]} if file.stem != "triage" else set()
    assert {row.id for row in corpus} <= seen
    assert ruled <= 0.005 * len(corpus)


def test_the_topic_tells_hardly_more_than_the_most_frequent_class(corpus: Sequence[Row]) -> None:
    for scores in topic_alone(default_labels(), corpus).values():
        assert scores["topic"] <= scores["most frequent"] + 0.06


def test_splits_are_disjoint_by_family_and_stable(corpus: Sequence[Row]) -> None:
    splits = split_rows(corpus)
    families = [{row.family for row in part} for part in (splits.train, splits.dev, splits.calibration, splits.test)]
    assert sum(map(len, families)) == len(set().union(*families))
    assert split_rows(list(reversed(corpus))).test == list(reversed(splits.test))
    for name, share in SHARES.items():
        assert abs(sum(part_of(row.family) == name for row in corpus) / len(corpus) - share) < 0.03


def test_hardly_any_families_share_a_question(corpus: Sequence[Row]) -> None:
    """Only plain questions, such as how the day was, may stand in two splits; one that decides must not."""
    families: dict[str, set[str]] = {}
    for row in corpus:
        if row.turn.previous:
            families.setdefault(row.turn.previous, set()).add(part_of(row.family))
    shared = {question for question, parts in families.items() if len(parts) > 1}
    assert len(shared) <= 0.015 * len(families), shared


def test_the_command_passes_on_the_committed_corpus() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "corpus", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "with previous" in done.stdout


def test_bad_rows_are_named_by_file_and_line(tmp_path: Path) -> None:
    source = sorted(CORPUS.glob("*.jsonl"))[0]
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()[:5]]
    rows.append(dict(rows[0]))
    rows.append({**rows[1], "id": "new-1"})
    rows.append({**rows[2], "id": "new-2", "lang": "fr", "utterance": "bonjour pika"})
    rows.append({**rows[2], "id": "new-3", "family": "loose", "utterance": "hello again pika"})
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / source.name).write_text(content[:-30], encoding="utf-8")
    found = read_corpus(default_labels(), tmp_path)
    said = sorted(str(bad).removeprefix(f"{tmp_path}/") for bad in found.bad)
    assert len(found.good) == 5
    assert [line.split(":")[1] for line in said] == ["6", "7", "8", "9"]
    assert "stands at" in said[0]
    assert "the same turn" in said[1]
    assert "lang 'fr'" in said[2]
    assert "cut off" in said[3]


def test_a_bad_row_stops_the_fit_unless_it_is_skipped(tmp_path: Path, kitchen_files: tuple[Path, Path]) -> None:
    data, labels = kitchen_files
    path = Path(shutil.copy(data, tmp_path / "rows.jsonl"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"utterance": "so')
    command = [sys.executable, "-m", "training", "fit", "--data", str(path), "--labels", str(labels), "--epochs", "1"]
    stopped = subprocess.run([*command, "--out", str(tmp_path / "a")], capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert "rows.jsonl:301: not JSON" in stopped.stderr
    assert "--skip-bad" in stopped.stderr
    assert not (tmp_path / "a").exists()
    skipped = subprocess.run(
        [*command, "--out", str(tmp_path / "b"), "--skip-bad"], capture_output=True, text=True, check=False
    )
    assert skipped.returncode == 0, skipped.stderr
    assert "1 bad rows" in skipped.stderr
