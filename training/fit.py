"""A fit from rows to a calibrated student in a run folder; interrupted runs go on where they stopped."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tinyclf import LabelSet
from tinyclf.encode import Encoder
from tinyclf.files import write_json, write_whole
from training.agreement import agreement
from training.augment import Augmentation
from training.calibrate import Calibration, calibrate
from training.checkpoint import save_weights
from training.diagnostics import diagnose
from training.epoch import Lesson
from training.evaluate import judge
from training.identity import CONFIG, identity, is_ours
from training.kin import kinship
from training.lexicon import Lexicon
from training.loop import predict
from training.loss import taught_by
from training.members import EachEpoch, Ensemble, forget_members, train_members
from training.page import write_page
from training.probabilities import decide, probabilities
from training.rows import Row, example_rows
from training.run import CALIBRATION, REPORT, TEST, TOKENIZER, WEIGHTS, Run, load_run, member_shape
from training.settings import Settings, resolved
from training.split import Splits
from training.student import Student
from training.targets import gold_arrays, target_arrays
from training.threads import one_thread
from training.tokenizer import texts_of, train_tokenizer
from training.twins import plain_turn


@one_thread
def fit(
    labels: LabelSet,
    splits: Splits,
    settings: Settings,
    folder: Path,
    each_epoch: EachEpoch = lambda member, progress: None,
    jobs: int = 1,
    lexicon: Lexicon | None = None,
) -> Run:
    """Train, calibrate and evaluate into ``folder``. The label set's own examples are trained on too.

    Entries of the ``lexicon`` that mean alike share weights. At most ``jobs`` members are trained side by side, each in
    a process of its own; that changes nothing but the time.

    A folder that holds a stopped run of the same rows and settings is resumed, a finished one is loaded, one of
    another run is refused with ``DataError``.
    """
    held_out = {plain_turn(row.turn) for row in (*splits.dev, *splits.calibration, *splits.test)}
    examples = [row for row in example_rows(labels) if plain_turn(row.turn) not in held_out]
    splits = replace(splits, train=[*splits.train, *examples])
    settings = resolved(settings, len(splits.train))
    config = identity(labels, splits, asdict(settings), lexicon)
    if is_ours(folder, config) and (folder / REPORT).exists():
        forget_members(folder, settings.members)
        return load_run(folder)
    tokenizer = train_tokenizer(texts_of(splits.train, lexicon), settings.vocabulary)
    encoder = Encoder(tokenizer)
    shape = member_shape(labels, config, encoder)
    write_whole(folder / TOKENIZER, tokenizer)
    write_json(folder / CONFIG, config)
    schedule = settings.schedule
    rows = splits.train if schedule.patience else [*splits.train, *splits.dev]
    taught = taught_by(rows, labels, schedule.distill_temperature, schedule.gold_share, hard=schedule.hard)
    augment = Augmentation() if settings.augment else None
    lesson = Lesson(encoder, labels, rows, gold_arrays(rows, labels), taught, schedule, augment)
    kin = kinship(encoder, settings.buckets, settings.letters, lexicon)
    ensemble = Ensemble(shape, lesson, splits.dev, folder, kin)
    student, trained = train_members(ensemble, settings.members, jobs, each_epoch)
    save_weights(folder / WEIGHTS, student)
    logits = predict(student, encoder, [row.turn for row in splits.calibration])
    calibration = calibrate(
        labels, logits, target_arrays(splits.calibration, labels), [row.family for row in splits.calibration]
    )
    write_json(folder / CALIBRATION, calibration.to_dict())
    report = {
        "splits": {name: len(rows) for name, rows in splits.parts().items()},
        "members": [asdict(progress) for progress in trained],
        "temperatures": dict(calibration.temperatures),
        **_on_test(labels, student, encoder, calibration, splits.test),
    }
    write_whole(folder / TEST, "".join(json.dumps(asdict(row.turn), ensure_ascii=True) + "\n" for row in splits.test))
    write_page(report, folder)
    write_json(folder / REPORT, report)
    forget_members(folder, settings.members)
    return load_run(folder)


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
