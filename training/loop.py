"""The training loop: augmented epochs, early stopping on the dev split, checkpoints between epochs."""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tinyclf import LabelSet
from tinyclf.classifier import padded
from tinyclf.encode import PAD, UNKNOWN, Encoder
from tinyclf.turn import Turn
from training.augment import Augmentation
from training.checkpoint import Progress, load_checkpoint, load_weights, save_checkpoint, save_weights
from training.loss import Taught, loss, taught_by
from training.metrics import head_score
from training.rows import Row
from training.student import Student
from training.targets import Array, gold_arrays, target_arrays

SAVING = 4
"""A checkpoint that took a second is followed by the next four seconds later at the earliest."""
CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "student.safetensors"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train: at most ``epochs``, stopping after ``patience`` epochs without a better dev score.

    What ``TEACHING`` names says how a teacher's labels are learnt (see ``training.loss``).
    """

    epochs: int = 25
    patience: int = 12
    batch: int = 64
    rate: float = 3e-3
    wide_rate: float = 1e-2
    decay: float = 0.05
    smoothing: float = 0.15
    borrow: float = 0.15
    seed: int = 0
    distill_temperature: float = 1.0
    gold_share: float = 0.5
    hard: bool = False


TEACHING = ("distill_temperature", "gold_share", "hard")
"""The parts of the schedule that mean nothing where no row has a teacher's labels."""


def train(
    student: Student,
    encoder: Encoder,
    labels: LabelSet,
    rows: Sequence[Row],
    dev: Sequence[Row],
    schedule: Schedule,
    augment: Augmentation | None,
    folder: Path,
    each_epoch: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train in place and leave the best weights in ``folder``; go on from its checkpoint when there is one.

    Every epoch draws from its own seed, so a run that was stopped and resumed gives the weights of one that was not.
    """
    deep = [weight for weight in student.parameters() if weight is not student.wide.weight]
    optimisers = [
        torch.optim.AdamW(deep, lr=schedule.rate, weight_decay=schedule.decay),
        torch.optim.SparseAdam([student.wide.weight], lr=schedule.wide_rate),
    ]
    progress = Progress()
    if (folder / CHECKPOINT).exists():
        progress = load_checkpoint(folder / CHECKPOINT, student, optimisers)
    gold, due = gold_arrays(rows, labels), 0.0
    taught = taught_by(rows, labels, schedule.distill_temperature, schedule.gold_share, hard=schedule.hard)
    while progress.epoch < schedule.epochs and progress.epoch - progress.best_epoch < schedule.patience:
        cooled = 0.01 + 0.99 * (1 + math.cos(math.pi * progress.epoch / schedule.epochs)) / 2
        for optimiser, peak in zip(optimisers, (schedule.rate, schedule.wide_rate), strict=True):
            optimiser.param_groups[0]["lr"] = peak * cooled
        spent = _epoch(student, encoder, labels, rows, gold, taught, schedule, augment, optimisers, progress.epoch)
        progress.epoch += 1
        score = dev_score(student, encoder, labels, dev)
        progress.history.append({"epoch": progress.epoch, "loss": spent, "dev": score})
        if score > progress.best:
            progress.best, progress.best_epoch = score, progress.epoch
            save_weights(folder / WEIGHTS, student)
        if time.monotonic() >= due:
            start = time.monotonic()
            save_checkpoint(folder / CHECKPOINT, student, optimisers, progress)
            due = time.monotonic() + SAVING * (time.monotonic() - start)
        each_epoch(progress)
    load_weights(folder / WEIGHTS, student)
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


def _epoch(
    student: Student,
    encoder: Encoder,
    labels: LabelSet,
    rows: Sequence[Row],
    gold: dict[str, Array],
    taught: Taught | None,
    schedule: Schedule,
    augment: Augmentation | None,
    optimisers: Sequence[torch.optim.Optimizer],
    epoch: int,
) -> float:
    """One pass over the rows in a fresh order; the mean loss."""
    seed = schedule.seed * 10_000 + epoch
    rng = random.Random(seed)
    torch.manual_seed(seed)
    questions = [row.turn.previous for row in rows if row.turn.previous]
    turns = [_varied(row.turn, augment, questions, schedule.borrow, rng) for row in rows]
    ids = [encoder(turn.utterance, turn.previous, turn.reply) for turn in turns]
    order = [i for i in range(len(rows)) if ids[i]]
    rng.shuffle(order)
    student.train()
    total = 0.0
    for at in range(0, len(order), schedule.batch):
        chosen = order[at : at + schedule.batch]
        goals: dict[str, Tensor] = {name: torch.from_numpy(array[chosen]) for name, array in gold.items()}
        logits = student(torch.from_numpy(padded([ids[i] for i in chosen])))
        cost = loss(logits, goals, labels, schedule.smoothing, taught and taught.at(chosen))
        student.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_((w for w in student.parameters() if w is not student.wide.weight), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        total += float(cost.detach()) * len(chosen)
    return total / max(len(order), 1)


def _varied(
    turn: Turn, augment: Augmentation | None, questions: Sequence[str], borrow: float, rng: random.Random
) -> Turn:
    """An augmented turn; a long one without ``previous`` sometimes gets another row's, which must not matter."""
    if augment is None:
        return turn
    if questions and not turn.previous and len(turn.utterance.split()) > 4 and rng.random() < borrow:
        turn = Turn(turn.utterance, rng.choice(questions), turn.reply)
    return augment(turn, rng)
