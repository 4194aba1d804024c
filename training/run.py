"""A finished fit in its run folder: what the export needs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from tinyclf.encode import Encoder
from tinyclf.errors import DataError
from tinyclf.labelfile import parse_labels
from tinyclf.turn import SEGMENTS
from training.calibrate import Calibration
from training.checkpoint import load_weights
from training.identity import CONFIG
from training.loop import predict
from training.merge import merged_shape
from training.probabilities import probabilities
from training.student import Shape, Student, build_student

TOKENIZER, CALIBRATION, REPORT, TEST = "tokenizer.model", "calibration.json", "report.json", "test.jsonl"
WEIGHTS = "student.safetensors"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished fit: what the export needs."""

    folder: Path
    labels: LabelSet
    student: Student
    encoder: Encoder
    tokenizer: bytes
    calibration: Calibration
    config: Mapping[str, Any]
    report: Mapping[str, Any]

    def test_turns(self) -> list[Turn]:
        """The turns of the test split, for parity."""
        lines = (self.folder / TEST).read_text(encoding="utf-8").splitlines()
        return [Turn(**json.loads(line)) for line in lines]

    def predict(self, turns: Sequence[Turn]) -> dict[str, Floats]:
        """Calibrated probabilities of shape (turns, classes) per head."""
        logits = predict(self.student, self.encoder, turns)
        return probabilities(self.labels, logits, self.calibration.temperatures)


def load_run(folder: Path) -> Run:
    """A finished run from its folder; ``DataError`` when it is missing, not finished or damaged."""
    if not (folder / REPORT).exists():
        raise DataError(f"{folder}: holds no finished run; run `python -m training fit --out {folder}` to the end")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        calibration = Calibration.from_dict(json.loads((folder / CALIBRATION).read_text(encoding="utf-8")))
        tokenizer = (folder / TOKENIZER).read_bytes()
        labels = parse_labels(config["label_set"])
        encoder = Encoder(tokenizer)
        student = build_student(merged_shape(member_shape(labels, config, encoder), config["settings"]["members"]))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{folder}: damaged run: {error}; fit again into another folder") from error
    load_weights(folder / WEIGHTS, student)
    return Run(folder, labels, student, encoder, tokenizer, calibration, config, report)


def member_shape(labels: LabelSet, config: Mapping[str, Any], encoder: Encoder) -> Shape:
    """The shape of each student that the run's configuration asks for; ``DataError`` when it cannot be."""
    settings = config["settings"]
    names = ("architecture", "dim", "width", "filters", "buckets", "dropout", "wide_dropout")
    if encoder.vocabulary * len(SEGMENTS) > settings["buckets"]:
        raise DataError(
            f"--buckets must be at least {len(SEGMENTS)} times the {encoder.vocabulary} pieces of the vocabulary"
        )
    classes = {head.name: len(head.names) for head in labels.heads}
    return Shape(classes, encoder.vocabulary, **{name: settings[name] for name in names})
