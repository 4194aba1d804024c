"""The members of an ensemble: students that learn the same lesson from different seeds, each in a folder of its own."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from training.ahead import train_ahead
from training.checkpoint import Progress
from training.epoch import Lesson
from training.kin import Kinship
from training.loop import train
from training.merge import merge
from training.rows import Row
from training.student import Shape, Student, build_student

SEEDS_APART = 1000
"""So that the members of two ensembles with neighbouring seeds are all different."""

WORTH_PROCESSES = 1000
"""With fewer rows, starting a process takes longer than it saves."""

EachEpoch = Callable[[int, Progress], None]
"""Told after every epoch which member it was, from 0, and how far it is."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """What its members have in common."""

    shape: Shape
    lesson: Lesson
    dev: Sequence[Row]
    folder: Path
    kinship: Kinship

    def teach(self, member: int, each_epoch: Callable[[Progress], None]) -> tuple[Student, Progress]:
        """Train a member to its end; what was trained in the folder already is not trained again."""
        seed = self.lesson.schedule.seed + SEEDS_APART * member
        torch.manual_seed(seed)
        student = build_student(self.shape, self.kinship)
        own = replace(self.lesson, schedule=replace(self.lesson.schedule, seed=seed))
        place = folder_of(self.folder, member)
        place.mkdir(exist_ok=True)
        return student, train(student, own, self.dev, place, each_epoch)


def train_members(ensemble: Ensemble, members: int, jobs: int, each_epoch: EachEpoch) -> tuple[Student, list[Progress]]:
    """Train them, at most ``jobs`` side by side, and merge them; the weights do not depend on ``jobs``."""
    if min(jobs, members) > 1 and len(ensemble.lesson.rows) >= WORTH_PROCESSES:
        train_ahead(ensemble.teach, range(members), jobs, each_epoch)
    students, progresses = [], []
    for member in range(members):
        student, progress = ensemble.teach(member, partial(each_epoch, member))
        student.settle()
        students.append(student)
        progresses.append(progress)
    return merge(students), progresses


def forget_members(folder: Path, members: int) -> None:
    """Delete what the members left, once their merged weights are kept."""
    for member in range(members):
        shutil.rmtree(folder_of(folder, member), ignore_errors=True)


def folder_of(folder: Path, member: int) -> Path:
    """Where a member keeps its checkpoint and its best weights."""
    return folder / f"member-{member}"
