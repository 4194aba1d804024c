"""The training loop: epochs, a stop when the dev split wants it, checkpoints between epochs."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tinyclf.classifier import padded
from tinyclf.encode import PAD, UNKNOWN, Encoder
from tinyclf.labelset import LabelSet
from tinyclf.turn import Turn
from training.checkpoint import Progress, load_checkpoint, load_weights, save_checkpoint, save_weights
from training.epoch import Lesson, deep_weights, run_epoch
from training.metrics import head_score
from training.rows import Row
from training.student import Student
from training.targets import Array, target_arrays

SAVING = 4
"""A checkpoint that took a second is followed by the next four seconds later at the earliest."""
CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"


def train(
    student: Student,
    lesson: Lesson,
    dev: Sequence[Row],
    folder: Path,
    each_epoch: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train in place; go on from the checkpoint in ``folder`` when there is one.

    Every epoch draws from its own seed, so a run that was stopped and resumed gives the weights of one that was not.
    """
    schedule = lesson.schedule
    optimisers = [
        torch.optim.AdamW(deep_weights(student), lr=schedule.rate, weight_decay=schedule.decay, fused=True),
        torch.optim.SparseAdam(list(student.wide.parameters()), lr=schedule.wide_rate),
    ]
    progress = Progress()
    if (folder / CHECKPOINT).exists():
        progress = load_checkpoint(folder / CHECKPOINT, student, optimisers)
    due = 0.0
    while not progress.over(schedule.epochs, schedule.patience):
        cooled = 0.01 + 0.99 * (1 + math.cos(math.pi * progress.epoch / schedule.epochs)) / 2
        for optimiser, peak in zip(optimisers, (schedule.rate, schedule.wide_rate), strict=True):
            optimiser.param_groups[0]["lr"] = peak * cooled
        spent = run_epoch(student, lesson, optimisers, progress.epoch)
        progress.epoch += 1
        progress.history.append({"epoch": progress.epoch, "loss": spent})
        if schedule.patience:
            score = dev_score(student, lesson.encoder, lesson.labels, dev)
            progress.history[-1]["dev"] = score
            if score > progress.best:
                progress.best, progress.best_epoch = score, progress.epoch
                save_weights(folder / BEST, student)
        if time.monotonic() >= due or progress.over(schedule.epochs, schedule.patience):
            start = time.monotonic()
            save_checkpoint(folder / CHECKPOINT, student, optimisers, progress)
            due = time.monotonic() + SAVING * (time.monotonic() - start)
        each_epoch(progress)
    if schedule.patience:
        load_weights(folder / BEST, student)
    student.eval()
    return progress


def predict(student: Student, encoder: Encoder, turns: Sequence[Turn], batch: int = 512) -> dict[str, Array]:
    """Logits of shape (turns, classes) per head, in order."""
    ids = [encoder(turn.utterance, turn.previous, turn.reply) or [PAD, UNKNOWN, PAD] for turn in turns]
    student.eval()
    with torch.inference_mode():
        parts = [student(torch.from_numpy(padded(ids[at : at + batch]))) for at in range(0, len(ids), batch)]
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in student.shape.heads}


def dev_score(student: Student, encoder: Encoder, labels: LabelSet, dev: Sequence[Row]) -> float:
    """The mean over heads of macro-F1, which early stopping watches."""
    logits = predict(student, encoder, [row.turn for row in dev])
    goals = target_arrays(dev, labels)
    return float(np.mean([head_score(head, logits[head.name], goals[head.name]) for head in labels.heads]))
