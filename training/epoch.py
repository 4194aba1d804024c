"""One epoch: every row once, varied afresh, in batches of like length."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyclf import LabelSet
from tinyclf.classifier import padded
from tinyclf.encode import Encoder
from tinyclf.turn import Turn
from training.augment import Augmentation
from training.loss import Taught, loss
from training.rows import Row
from training.schedule import Schedule
from training.student import Student
from training.targets import Array

LIKE = 16
"""Turns are sorted by length within so many batches."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt, epoch after epoch: the rows with their gold and teacher's labels."""

    encoder: Encoder
    labels: LabelSet
    rows: Sequence[Row]
    gold: Mapping[str, Array]
    taught: Taught | None
    schedule: Schedule
    augment: Augmentation | None


def run_epoch(student: Student, lesson: Lesson, optimisers: Sequence[torch.optim.Optimizer], epoch: int) -> float:
    """One pass over the rows in a fresh order; the mean loss."""
    schedule = lesson.schedule
    seed = schedule.seed * 10_000 + epoch
    rng = random.Random(seed)
    torch.manual_seed(seed)
    questions = [row.turn.previous for row in lesson.rows if row.turn.previous]
    turns = [_varied(row.turn, lesson.augment, questions, schedule.borrow, rng) for row in lesson.rows]
    ids = [lesson.encoder(turn.utterance, turn.previous, turn.reply) for turn in turns]
    order = [i for i in range(len(ids)) if ids[i]]
    rng.shuffle(order)
    student.train()
    total = 0.0
    for chosen in batches(order, ids, schedule.batch, rng):
        cost = _cost(student, lesson, torch.from_numpy(padded([ids[i] for i in chosen])), chosen)
        student.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(deep_weights(student), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        total += float(cost.detach()) * len(chosen)
    return total / max(len(order), 1)


def batches(order: Sequence[int], ids: Sequence[Sequence[int]], size: int, rng: random.Random) -> list[list[int]]:
    """Cut a shuffled order into batches of turns of like length, themselves in random order: less padding to compute.

    The lengths are those of ``ids``; turns are sorted within ``LIKE`` batches only, so that batches stay mixed.
    """
    found = []
    for at in range(0, len(order), LIKE * size):
        near = sorted(order[at : at + LIKE * size], key=lambda i: len(ids[i]))
        found += [near[start : start + size] for start in range(0, len(near), size)]
    rng.shuffle(found)
    return found


def deep_weights(student: Student) -> list[nn.Parameter]:
    """All weights but the wide path's, whose gradients are sparse."""
    return [weight for name, weight in student.named_parameters() if not name.startswith("wide.")]


def _cost(student: Student, lesson: Lesson, ids: Tensor, chosen: list[int]) -> Tensor:
    """The loss of a batch."""
    goals = {name: torch.from_numpy(array[chosen]) for name, array in lesson.gold.items()}
    taught = lesson.taught and lesson.taught.at(chosen)
    return loss(student(ids), goals, lesson.labels, lesson.schedule.smoothing, taught)


def _varied(
    turn: Turn, augment: Augmentation | None, questions: Sequence[str], borrow: float, rng: random.Random
) -> Turn:
    """An augmented turn; a long one without ``previous`` sometimes gets another row's, which must not matter."""
    if augment is None:
        return turn
    if questions and not turn.previous and len(turn.utterance.split()) > 4 and rng.random() < borrow:
        turn = Turn(turn.utterance, rng.choice(questions), turn.reply)
    return augment(turn, rng)
