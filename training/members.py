"""The members of an ensemble: students that learn the same lesson from different seeds, each in a folder of its own."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.checkpoint import Progress
from training.epoch import Lesson
from training.loop import train
from training.merge import merge
from training.rows import Row
from training.student import Shape, Student, build_student

SEEDS_APART = 1000
"""So that the members of two ensembles with neighbouring seeds are all different."""

EachEpoch = Callable[[int, Progress], None]
"""Told after every epoch which member it was, from 0, and how far it is."""


def train_members(
    shape: Shape,
    members: int,
    lesson: Lesson,
    dev: Sequence[Row],
    folder: Path,
    each_epoch: EachEpoch,
    pieces: Sequence[str] = (),
) -> tuple[Student, list[Progress]]:
    """Train them one after another and merge them; what was trained in ``folder`` already is not trained again.

    ``pieces``: see ``training.wide``.
    """
    students, progresses = [], []
    for member in range(members):
        seed = lesson.schedule.seed + SEEDS_APART * member
        torch.manual_seed(seed)
        student = build_student(shape, pieces)
        own = replace(lesson, schedule=replace(lesson.schedule, seed=seed))
        place = folder_of(folder, member)
        place.mkdir(exist_ok=True)

        def each(progress: Progress, member: int = member) -> None:
            each_epoch(member, progress)

        progresses.append(train(student, own, dev, place, each))
        student.wide.settle()
        students.append(student)
    return merge(students), progresses


def forget_members(folder: Path, members: int) -> None:
    """Delete what the members left, once their merged weights are kept."""
    for member in range(members):
        shutil.rmtree(folder_of(folder, member), ignore_errors=True)


def folder_of(folder: Path, member: int) -> Path:
    """Where a member keeps its checkpoint and its best weights."""
    return folder / f"member-{member}"
