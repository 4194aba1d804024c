"""A bundle that is damaged, foreign or of another version is refused, and the message says what and where."""

import json
import random
import shutil
from pathlib import Path

import onnx
import pytest

from tinyclf import BundleError, Classifier
from tinyclf.bundle import MANIFEST, MODEL, TOKENIZER, default_bundle, write_bundle
from training.corpus import authored_splits
from training.metrics import upper_bound

FILES = (MANIFEST, MODEL, TOKENIZER, "MODEL_CARD.md")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle(), tmp_path / "bundle"))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    for place in random.Random(0).sample(range(len(data)), 5):
        (copy / name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(BundleError, match=f"{name}: (damaged|foreign)"):
            Classifier.load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: missing"):
        Classifier.load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_found(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=f"{name}: damaged"):
        Classifier.load(copy)


def test_another_format_is_refused_with_the_way_out(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(BundleError, match="bundle format 2, this tinyclf reads format 1; export the bundle again"):
        Classifier.load(copy)


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle folder"):
        Classifier.load(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"manifest.json: missing"):
        Classifier.load(tmp_path)
    (tmp_path / MANIFEST).write_text('{"model": "other"}')
    with pytest.raises(BundleError, match="foreign"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"label_set": None}, "it has no label_set"),
        ({"operating_points": {}}, "no operating point"),
        ({"operating_points": {"balanced": {"mood": 1}}}, "unknown entries"),
        ({}, f"{TOKENIZER}: sentencepiece cannot load it"),
    ],
)
def test_what_is_whole_but_no_bundle_of_ours_is_refused(copy: Path, change: dict[str, object], why: str) -> None:
    """Every digest is right, so only the content can tell."""
    manifest = {**json.loads((copy / MANIFEST).read_text()), **change}
    contents = {MODEL: (copy / MODEL).read_bytes(), TOKENIZER: b"" if change else b"no tokenizer"}
    write_bundle(copy, {key: manifest[key] for key in manifest if key not in ("files", "sha256")}, contents)
    with pytest.raises(BundleError, match=why):
        Classifier.load(copy)


def test_a_model_that_gives_no_distribution_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    contents = {name: (copy / name).read_bytes() for name in FILES[1:]}
    rest = {key: value for key, value in manifest.items() if key not in ("format", "files", "sha256")}
    model = onnx.load_from_string(contents[MODEL])
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.op_type = "Relu"
            del node.attribute[:]
    write_bundle(copy, dict(rest), {**contents, MODEL: model.SerializeToString()})
    with pytest.raises(BundleError, match=r"model.onnx: output 'soll_emotion' is no distribution"):
        Classifier.load(copy)
    write_bundle(copy, dict(rest), {**contents, MODEL: b"no model"})
    with pytest.raises(BundleError, match=r"model.onnx: onnxruntime cannot load it"):
        Classifier.load(copy)


def test_an_unknown_operating_point_lists_the_known() -> None:
    with pytest.raises(BundleError, match="no operating point 'brave'; there are balanced, careful"):
        Classifier.load(point="brave")


def test_a_limit_without_its_guard_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["operating_points"]["balanced"]["limits"] = {"nobody": 0.1}
    contents = {name: (copy / name).read_bytes() for name in FILES if name != MANIFEST}
    write_bundle(copy, {k: v for k, v in manifest.items() if k not in ("format", "files", "sha256")}, contents)
    with pytest.raises(BundleError, match=r"operating point 'balanced' limits 'nobody', which is no guard"):
        Classifier.load(copy)


def test_the_default_bundle_keeps_its_promise_on_the_turns_that_it_rests_on() -> None:
    careful = Classifier.load(point="careful")
    rows = authored_splits(careful.labels).calibration
    decisions = careful.batch([row.turn for row in rows])
    for guard in careful.labels.guards:
        (head, never), when = guard.never, set(guard.when)
        guarded = [
            (row, decision)
            for row, decision in zip(rows, decisions, strict=True)
            if when & set(row.labels(careful.labels).items())
        ]
        mistakes = {row.family for row, decision in guarded if decision.labels[head] == never}
        promise = careful.point.promise[guard.name]
        assert len({row.family for row, _ in guarded}) == promise["families"]
        assert upper_bound(len(mistakes), promise["families"]) <= promise["wanted"]


def test_the_default_bundle_says_what_it_promises() -> None:
    clf = Classifier.load(point="careful")
    for guard in clf.labels.guards:
        promise = clf.point.promise[guard.name]
        assert promise["holds"] == (promise["upper_bound"] <= promise["wanted"])
        assert promise["families"] > 0
    card = (clf.bundle.path / "MODEL_CARD.md").read_text()
    assert all(head.name in card for head in clf.labels.heads)
