"""Data of any source: good rows become rows, bad ones are named by file and line and never quoted."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import small_rows, write_jsonl
from tinyclf import DataError, LabelSet
from tinyclf.sources import read_records
from training.infer import infer_labels
from training.rows import to_rows


def test_json_lines_csv_and_parquet_say_the_same(tmp_path: Path, kitchen: LabelSet) -> None:
    rows = small_rows(20)
    jsonl = write_jsonl(tmp_path / "rows.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "allergens": json.dumps(row["allergens"])} for row in rows)
    read = [to_rows(read_records(str(jsonl.with_suffix(s))), kitchen) for s in (".jsonl", ".parquet", ".csv")]
    assert all(not found.bad for found in read)
    assert len({str([(r.turn, r.targets, r.family) for r in found.good]) for found in read}) == 1


def test_bad_rows_are_named_by_line(tmp_path: Path, kitchen: LabelSet) -> None:
    good = {"utterance": "soup", "dish": "soup"}
    lines = [
        json.dumps(good),
        json.dumps({**good, "dish": "pie"}),
        json.dumps({**good, "utterance": "  "}),
        json.dumps({**good, "utterance": 5}),
        json.dumps({"utterance": "soup"}),
        json.dumps({**good, "dish": {"soup": 0.5, "cake": 0.2}}),
        json.dumps({**good, "dish": "none", "allergens": ["milk"]}),
        "",
        "[1]",
        json.dumps({**good, "dish": {"soup": 0.6, "cake": 0.4}, "allergens": "nuts|milk"}),
        json.dumps(good)[:-9],
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = to_rows(read_records(str(path)), kitchen)
    assert [row.place.rpartition(":")[2] for row in found.good] == ["1", "10"]
    assert found.good[1].targets == {"dish": {"soup": 0.6, "cake": 0.4}, "allergens": {"nuts": 1.0, "milk": 1.0}}
    said = {bad.place.rpartition(":")[2]: bad.reason for bad in found.bad}
    assert "head 'dish': unknown class; its classes are soup, cake, none" in said["2"]
    assert "blank" in said["3"]
    assert "must be text, it is int" in said["4"]
    assert "no label" in said["5"]
    assert "no distribution" in said["6"]
    assert "incompatible" in said["7"]
    assert said["8"] == "blank line"
    assert said["9"] == "not a JSON object"
    assert "cut off" in said["11"]


def test_reasons_never_quote_the_data(tmp_path: Path, kitchen: LabelSet) -> None:
    said = "my secret words"
    good = {"utterance": said, "dish": "soup"}
    rows: list[dict[str, object]] = [
        {**good, "dish": said},
        {**good, "dish": {said: 1.0}},
        {**good, "dish": {"soup": said}},
        {**good, "dish": {"soup": [1]}},
        {**good, "dish": "[" * 100_000},
        {**good, "dish": "{" + said},
        {**good, "utterance": [said]},
        {said: said},
        {**good, "previous": {said: 1}},
        {**good, "allergens": said},
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with path.open("a", encoding="utf-8") as file:
        file.write("{" + said + "\n" + "[" * 100_000 + "\n")
    found = to_rows(read_records(str(path)), kitchen)
    assert len(found.bad) == len(rows) + 2
    assert not [str(bad) for bad in found.bad if "secret" in bad.reason]


def test_a_ragged_csv_row_is_named(tmp_path: Path, kitchen: LabelSet) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("utterance,dish\nhot soup,soup\ncake,cake,extra\nonly text\n", encoding="utf-8")
    found = to_rows(read_records(str(path)), kitchen)
    assert len(found.good) == 1
    assert [bad.place.rpartition(":")[2] for bad in found.bad] == ["3", "4"]


def test_sources_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 cut")
    (tmp_path / "rows.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    for source, said in (
        (tmp_path / "rows.parquet", "not a whole Parquet file"),
        (tmp_path / "rows.txt", "unknown kind of file"),
        (tmp_path / "empty", "holds no"),
        (tmp_path / "nowhere.jsonl", "cannot be read"),
    ):
        with pytest.raises(DataError, match=said):
            list(read_records(str(source)))


def test_a_dataset_saved_by_the_datasets_library_is_read(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": ["fine", "awful"], "label": [1, 0]}, features=features)
    (tmp_path / "set").mkdir()
    data.to_parquet(str(tmp_path / "set" / "train.parquet"))
    found = [record for _, record, _ in read_records(str(tmp_path / "set"))]
    assert found == [{"text": "fine", "label": 1}, {"text": "awful", "label": 0}]


def test_labels_can_be_inferred_from_a_column(tmp_path: Path) -> None:
    one = write_jsonl(
        tmp_path / "one.jsonl", [{"text": "a", "label": "card arrival"}, {"text": "b", "label": "lost card"}]
    )
    many = write_jsonl(tmp_path / "many.jsonl", [{"text": "a", "labels": ["joy", "love"]}, {"text": "b", "labels": []}])
    assert infer_labels([str(one)], "label").heads[0].names == ("card arrival", "lost card")
    labels = infer_labels([str(many)], "labels")
    assert labels.heads[0].kind == "any-of"
    rows = to_rows(read_records(str(many)), labels, "text")
    assert [dict(row.targets["labels"]) for row in rows.good] == [{"joy": 1.0, "love": 1.0}, {}]
    with pytest.raises(DataError, match="no row has a value in column 'mood'"):
        infer_labels([str(one)], "mood")


def test_labels_are_inferred_from_all_sources_and_from_a_teacher_s_labels(tmp_path: Path) -> None:
    gold = write_jsonl(tmp_path / "gold.jsonl", [{"text": "a", "label": "lost card"}])
    soft = write_jsonl(tmp_path / "soft.jsonl", [{"text": "b", "label": {"card arrival": 0.6, "lost card": 0.4}}])
    labels = infer_labels([str(gold), str(soft)], "label")
    assert labels.heads[0].names == ("card arrival", "lost card")
    assert not to_rows(read_records(str(soft)), labels, "text").bad
    assert to_rows(read_records(str(gold)), labels, "text").good[0].teacher == {}


def test_class_probabilities_are_a_teacher_s_word_in_any_notation(tmp_path: Path, kitchen: LabelSet) -> None:
    soft = {"soup": 0.6, "cake": 0.4}
    rows: list[dict[str, object]] = [
        {"utterance": "hot soup", "dish": dish} for dish in (soft, json.dumps(soft), "soup")
    ]
    found = to_rows(read_records(str(write_jsonl(tmp_path / "rows.jsonl", rows))), kitchen)
    assert [row.teacher for row in found.good] == [{"dish": soft}, {"dish": soft}, {}]
    assert [row.gold for row in found.good] == [{}, {}, {"dish": {"soup": 1.0}}]
    empty = {"utterance": "hot soup", "dish": {"soup": None, "cake": None}, "allergens": {"nuts": None}}
    assert "no label" in to_rows([("x:1", empty, "")], kitchen).bad[0].reason


@given(st.lists(st.dictionaries(st.sampled_from(["utterance", "dish", "allergens", "previous"]), st.one_of(
    st.none(), st.text(max_size=5), st.integers(), st.lists(st.text(max_size=3)), st.floats(),
    st.dictionaries(st.sampled_from(["soup", "cake", "x"]), st.floats())))))  # fmt: skip
def test_any_record_is_a_row_or_a_bad_row(kitchen: LabelSet, records: list[dict[str, object]]) -> None:
    found = to_rows(((f"x:{i}", record, "") for i, record in enumerate(records)), kitchen)
    assert len(found.good) + len(found.bad) == len(records)
