"""Make a bundle of a finished run, and do not leave one behind that fails parity."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from export.card import model_card
from export.fold import fold
from export.graph import conv_graph, folded_graph
from export.parity import Parity, check_parity
from export.place import in_place_of
from export.quantise import Precision
from tinyclf import Turn, __version__
from tinyclf.bundle import CARD, MODEL, TOKENIZER, Bundle, read_bundle, write_bundle
from tinyclf.errors import TinyclfError
from tinyclf.files import sha256
from training.evaluate import without_topics
from training.run import WEIGHTS, Run
from training.student import CnnStudent


def export_bundle(
    run: Run, out: Path, turns: list[Turn], precision: Precision = "float32", folded: bool = True
) -> tuple[Bundle, Parity]:
    """Write the run as a bundle to ``out`` once its parity with torch over ``turns`` is proved.

    The bundle is built beside ``out`` and takes its place whole; on any error ``out`` stays as it was.
    """
    with in_place_of(out) as fresh:
        model = _model(run, precision, folded)
        manifest = _manifest(run, model, precision)
        contents = {MODEL: model, TOKENIZER: run.tokenizer, CARD: model_card(run.labels, manifest).encode()}
        write_bundle(fresh, manifest, contents)
        parity = check_parity(run, read_bundle(fresh), turns, precision)
    return read_bundle(out), parity


def _model(run: Run, precision: Precision, folded: bool) -> bytes:
    arrays = fold(run.student, run.calibration.temperatures)
    if folded:
        return folded_graph(arrays, run.labels, precision)
    if not isinstance(run.student, CnnStudent) or precision != "float32":
        raise TinyclfError("only a cnn in float32 can be exported without folding")
    return conv_graph(run.student, arrays, run.labels)


def _manifest(run: Run, model: bytes, precision: Precision) -> dict[str, Any]:
    shape = run.student.shape.to_dict()
    test = {name: without_topics(metrics) for name, metrics in run.report["test"].items()}
    first: dict[str, Any] = next(iter(test.values()), {"n": 0})
    return {
        "name": run.labels.name,
        "label_set": run.labels.source,
        "operating_points": {name: point.to_dict() for name, point in run.calibration.points.items()},
        "model": {**shape, "precision": precision, "bytes": len(model)},
        "metrics": {"test_rows": first["n"], "test": test},
        "provenance": {
            "rows_sha256": run.config["rows_sha256"],
            **{key: run.config[key] for key in ("teachers",) if key in run.config},
            "weights_sha256": sha256((run.folder / WEIGHTS).read_bytes()),
            "splits": run.report["splits"],
            "settings": run.config["settings"],
            "tinyclf": __version__,
            "torch": version("torch"),
            "sentencepiece": version("sentencepiece"),
            "onnx": onnx.__version__,
            "python": platform.python_version(),
        },
    }
