"""What a student learns from a teacher's labels, over five seeds: ``python -m benchmarks.distillation``."""

import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.progress import track

from benchmarks.distillation_report import plot, text
from benchmarks.local_teacher import Given, out_of_fold, relabelled, taught
from benchmarks.machine import machine
from benchmarks.results import RESULTS, console, write_results
from tinyclf import LabelSet, default_labels
from training.corpus import FIELD, read_corpus
from training.evaluate import evaluate
from training.fit import fit
from training.rows import Row
from training.schedule import Schedule
from training.settings import Settings
from training.split import Splits, split_rows

POOL = 2000
SIZES = (125, 250, 500, 1000)
GOLD = 400
NOISE = (0.2, 0.4)
PLAIN = 2.0
"""The temperature of every soft arm that does not say another."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to teach a student: which rows, and how their labels are learnt."""

    name: str
    train: Sequence[Row]
    dev: Sequence[Row]
    calibration: Sequence[Row]
    schedule: Schedule


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    jobs: Annotated[int, typer.Option(help="How many fits at a time, each on one thread.")] = os.cpu_count() or 1,
) -> None:
    """Teach students in many ways by a local teacher and write results/distillation.{json,md,png}."""
    host, labels = machine(), default_labels()
    splits = split_rows(read_corpus(labels).good)
    pool = _some(splits.train, POOL)
    sets = {"test": splits.test, "field": read_corpus(labels, FIELD).good}
    console.print("teacher: labelling the pool out of fold, then everything else")
    with ProcessPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        held = [*splits.dev, *splits.calibration, *sets["test"], *sets["field"]]
        far = workers.submit(taught, labels, pool, splits.dev, splits.calibration, [row.turn for row in held])
        given, others = out_of_fold(workers, labels, pool, splits.dev, splits.calibration), far.result()
        arms = _arms(labels, pool, given, _parts(labels, held, others, splits), splits)
        asked = [(labels, _seeded(arm, seed), sets) for arm in arms for seed in range(seeds)]
        done = list(track(workers.map(_taught_student, asked), "students", total=len(asked), console=console))
    found: dict[str, Any] = {
        "machine": host,
        "seeds": seeds,
        "rows": {"pool": len(pool), **{name: len(rows) for name, rows in sets.items()}},
        "teacher": {
            "pool, out of fold": evaluate(labels, pool, given)["heads"],
            **_teacher(labels, sets, others),
        },
        "students": {arm.name: _mean(labels, done[i * seeds : (i + 1) * seeds]) for i, arm in enumerate(arms)},
    }
    write_results("distillation", found, text(labels, found))
    plot(labels, found, RESULTS / "distillation.png")


def _arms(
    labels: LabelSet, pool: Sequence[Row], given: Given, held: tuple[list[Row], list[Row]], splits: Splits
) -> list[Arm]:
    soft, hard = relabelled(labels, pool, given), Schedule(hard=True)
    plain = Schedule(distill_temperature=PLAIN)
    gold = (splits.dev, splits.calibration)

    def mixed(rest: Sequence[Row]) -> list[Row]:
        return [*pool[:GOLD], *rest[GOLD:]]

    arms = [
        Arm("gold", pool, *gold, plain),
        Arm("hard", soft, *held, hard),
        *(Arm(f"soft, T = {t:g}", soft, *held, Schedule(distill_temperature=t)) for t in (1.0, 2.0, 4.0)),
        Arm("soft, unweighted", [replace(row, weight=1.0) for row in soft], *held, plain),
        Arm(f"{GOLD} gold", pool[:GOLD], *gold, plain),
        Arm(f"{GOLD} gold + {POOL - GOLD} hard", mixed(soft), *gold, hard),
        Arm(f"{GOLD} gold + {POOL - GOLD} soft", mixed(soft), *gold, plain),
    ]
    for rate in NOISE:
        noisy = _noisy(soft, rate)
        arms.append(Arm(f"hard, noise {rate:.0%}", noisy, *held, hard))
        arms.append(Arm(f"soft, noise {rate:.0%}", noisy, *held, plain))
    for size in SIZES:
        arms.append(Arm(f"gold, n = {size}", pool[:size], *gold, plain))
        arms.append(Arm(f"soft, n = {size}", soft[:size], *held, plain))
    return arms


def _seeded(arm: Arm, seed: int) -> Arm:
    return replace(arm, schedule=replace(arm.schedule, seed=seed))


def _some(rows: Sequence[Row], count: int) -> list[Row]:
    """Rows of so many whole families that there are ``count``, in random order of family."""
    families = sorted({row.family for row in rows})
    random.Random(0).shuffle(families)
    place = {family: i for i, family in enumerate(families)}
    return sorted(rows, key=lambda row: place[row.family])[:count]


def _noisy(rows: Sequence[Row], rate: float) -> list[Row]:
    """Each row with the labels of some other row, at that rate: a teacher that is sure and wrong."""
    rng = random.Random(0)
    lent = [rng.choice(rows) if rng.random() < rate else row for row in rows]
    return [replace(row, teacher=other.teacher, weight=other.weight) for row, other in zip(rows, lent, strict=True)]


def _parts(labels: LabelSet, held: Sequence[Row], given: Given, splits: Splits) -> tuple[list[Row], list[Row]]:
    """The dev and calibration rows with the teacher's labels: a team without gold has no others."""
    rows, n = relabelled(labels, held, given), len(splits.dev)
    return rows[:n], rows[n : n + len(splits.calibration)]


def _taught_student(asked: tuple[LabelSet, Arm, Mapping[str, Sequence[Row]]]) -> dict[str, Any]:
    labels, arm, sets = asked
    splits = Splits([*arm.train], [*arm.dev], [*arm.calibration], [])
    with tempfile.TemporaryDirectory() as folder:
        run = fit(labels, splits, Settings(schedule=arm.schedule), Path(folder))
        return {name: evaluate(labels, rows, run.predict([row.turn for row in rows])) for name, rows in sets.items()}


def _teacher(labels: LabelSet, sets: Mapping[str, Sequence[Row]], given: Given) -> dict[str, Any]:
    """The teacher's own figures on the sets, which stand last in ``given``, in their order."""
    found, start = {}, -sum(map(len, sets.values()))
    for name, rows in sets.items():
        stop = start + len(rows) or None
        found[name] = evaluate(labels, rows, {head: array[start:stop] for head, array in given.items()})["heads"]
        start += len(rows)
    return found


def _mean(labels: LabelSet, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds of what the study reports."""
    found: dict[str, Any] = {}
    for name in runs[0]:
        figures = {"all right": [run[name]["exact"] for run in runs]}
        for head in labels.heads:
            for key in ("accuracy", "macro_f1", "ece"):
                figures[f"{head.name} {key}"] = [run[name]["heads"][head.name][key] for run in runs]
        for guard in labels.guards:
            for key in ("mistakes", "f1"):
                figures[f"{guard.name}: {key}"] = [run[name]["guards"][guard.name][key] for run in runs]
        found[name] = {
            key: {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}
            for key, values in figures.items()
        }
    return found


if __name__ == "__main__":
    typer.run(main)
