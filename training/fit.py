"""A fit from rows to a calibrated student in a run folder; interrupted runs go on where they stopped."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from tinyclf.encode import Encoder
from tinyclf.errors import DataError
from tinyclf.files import write_json, write_whole
from tinyclf.labelfile import parse_labels
from tinyclf.turn import SEGMENTS
from training.agreement import agreement
from training.augment import Augmentation
from training.calibrate import Calibration, calibrate
from training.checkpoint import Progress, load_weights
from training.diagnostics import diagnose
from training.evaluate import judge
from training.identity import CONFIG, identity, is_ours
from training.loop import CHECKPOINT, WEIGHTS, Schedule, predict, train
from training.page import write_page
from training.probabilities import decide, probabilities
from training.rows import Row, example_rows
from training.split import Splits
from training.student import Shape, Student, build_student
from training.targets import target_arrays
from training.tokenizer import train_tokenizer

TOKENIZER, CALIBRATION, REPORT, TEST = "tokenizer.model", "calibration.json", "report.json", "test.jsonl"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a fit depends on besides its rows and label set."""

    architecture: str = "cnn"
    vocabulary: int = 5000
    dim: int = 64
    filters: int = 64
    hidden: int = 64
    buckets: int = 80_000
    dropout: float = 0.3
    schedule: Schedule = field(default_factory=Schedule)
    augment: bool = True


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


def fit(
    labels: LabelSet,
    splits: Splits,
    settings: Settings,
    folder: Path,
    each_epoch: Callable[[Progress], None] = lambda progress: None,
) -> Run:
    """Train, calibrate and evaluate into ``folder``. The label set's own examples are trained on too.

    A folder that holds a stopped run of the same rows and settings is resumed, a finished one is loaded, one of
    another run is refused with ``DataError``.
    """
    held_out = {row.turn for row in (*splits.dev, *splits.calibration, *splits.test)}
    splits = replace(splits, train=[*splits.train, *(row for row in example_rows(labels) if row.turn not in held_out)])
    config = identity(labels, splits, asdict(settings))
    if is_ours(folder, config) and (folder / REPORT).exists():
        return load_run(folder)
    tokenizer = train_tokenizer(splits.train, settings.vocabulary)
    encoder = Encoder(tokenizer)
    student = _student(labels, config, encoder)
    write_whole(folder / TOKENIZER, tokenizer)
    write_json(folder / CONFIG, config)
    augment = Augmentation() if settings.augment else None
    progress = train(student, encoder, labels, splits.train, splits.dev, settings.schedule, augment, folder, each_epoch)
    logits = predict(student, encoder, [row.turn for row in splits.calibration])
    calibration = calibrate(
        labels, logits, target_arrays(splits.calibration, labels), [row.family for row in splits.calibration]
    )
    write_json(folder / CALIBRATION, calibration.to_dict())
    report = {
        "splits": {name: len(rows) for name, rows in splits.parts().items()},
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "history": progress.history,
        "temperatures": dict(calibration.temperatures),
        **_on_test(labels, student, encoder, calibration, splits.test),
    }
    write_whole(folder / TEST, "".join(json.dumps(asdict(row.turn), ensure_ascii=True) + "\n" for row in splits.test))
    write_page(report, folder)
    write_json(folder / REPORT, report)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return load_run(folder)


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
        student = _student(labels, config, encoder)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{folder}: damaged run: {error}; fit again into another folder") from error
    load_weights(folder / WEIGHTS, student)
    return Run(folder, labels, student, encoder, tokenizer, calibration, config, report)


def _student(labels: LabelSet, config: Mapping[str, Any], encoder: Encoder) -> Student:
    settings = config["settings"]
    torch.manual_seed(settings["schedule"]["seed"])
    names = ("architecture", "dim", "filters", "hidden", "buckets", "dropout")
    if encoder.vocabulary * len(SEGMENTS) > settings["buckets"]:
        raise DataError(
            f"--buckets must be at least {len(SEGMENTS)} times the {encoder.vocabulary} pieces of the vocabulary"
        )
    classes = {head.name: len(head.names) for head in labels.heads}
    return build_student(Shape(classes, encoder.vocabulary, **{name: settings[name] for name in names}))


def _on_test(
    labels: LabelSet, student: Student, encoder: Encoder, calibration: Calibration, rows: Sequence[Row]
) -> dict[str, Any]:
    """The report's figures on the test split; those on a teacher only where it labelled some of it."""
    if not rows:
        return {"test": {}}
    logits = predict(student, encoder, [row.turn for row in rows])
    given = probabilities(labels, logits, calibration.temperatures)
    chosen = {name: decide(labels, given, point) for name, point in calibration.points.items()}
    first = next(iter(chosen))
    found: dict[str, Any] = {
        "test": {name: judge(labels, rows, given, answers) for name, answers in chosen.items()},
        "diagnosed": first,
        "diagnostics": diagnose(labels, rows, given, chosen[first]),
    }
    if teacher := agreement(labels, rows, given):
        found["teacher"] = teacher
    return found
