"""Accuracy against latency of many students, on the calibration split: ``python -m benchmarks.frontier``."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.frontier_report import plot, text
from benchmarks.frontier_students import NO_LEXICON, STUDENTS
from benchmarks.latency import floor, turns_of_length
from benchmarks.machine import machine
from benchmarks.results import RESULTS, console, write_results
from benchmarks.timing import Call, in_turns, percentiles
from export.bundle import export_bundle
from tinyclf import Classifier, default_labels
from tinyclf.files import write_json
from training.corpus import authored_splits
from training.evaluate import evaluate
from training.fit import fit
from training.lexicon import read_lexicon
from training.run import REPORT, load_run

SECONDS = "seconds.json"
"""How long a run took that was fitted here without a stop."""


def main(
    seeds: Annotated[int, typer.Option(help="Fits of each student.")] = 2,
    jobs: Annotated[int, typer.Option(help="Fits at once; 0: one for each core.")] = 0,
    out: Annotated[Path, typer.Option(help="Run folders; what is finished there is not fitted again.")] = Path(
        "runs/frontier"
    ),
    limit: Annotated[float, typer.Option(help="Begin no fit after so many seconds.")] = float("inf"),
    count: Annotated[int, typer.Option(help="Decisions timed for each student.")] = 20_000,
) -> None:
    """Fit students that differ in one thing, judge and time them, and write results/frontier.{json,md,png}."""
    host = machine()
    began = time.monotonic()
    wanted = [(name, seed) for seed in range(seeds) for name in STUDENTS]
    wanted.sort(key=lambda fit: -STUDENTS[fit[0]].members)  # the slow ones first
    judged: dict[str, list[dict[str, Any]]] = {name: [] for name in STUDENTS}
    with ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        due = began + limit
        fits = {pool.submit(partial(_judged, due=due), name, seed, out): name for name, seed in wanted}
        for done in as_completed(fits):
            if (found := done.result()) is not None:
                judged[fits[done]].append(found)
                console.print(f"{fits[done]}: {found['exact']:.3f} after {time.monotonic() - began:.0f} s")
    judged = {name: sorted(runs, key=lambda run: run["seed"]) for name, runs in judged.items() if runs}
    times = _times({name: out / _folder(name, runs[0]["seed"]) for name, runs in judged.items()}, count)
    found = {"machine": host, "rows": _rows(), "students": judged, **times}
    write_results("frontier", found, text(found))
    plot(found, RESULTS / "frontier.png")


def _judged(name: str, seed: int, out: Path, due: float) -> dict[str, Any] | None:
    """A student's figures on the calibration split; ``None`` when it is too late to fit it."""
    folder = out / _folder(name, seed)
    finished = (folder / REPORT).exists()
    if time.monotonic() > due and not finished:
        return None
    labels = default_labels()
    splits = authored_splits(labels)
    settings = STUDENTS[name]
    settings = replace(settings, schedule=replace(settings.schedule, seed=seed))
    begun = time.monotonic()
    lexicon = None if name == NO_LEXICON else read_lexicon()
    run = fit(labels, splits, settings, folder, jobs=settings.members, lexicon=lexicon)
    if not finished:
        write_json(folder / SECONDS, round(time.monotonic() - begun))
    metrics = evaluate(labels, splits.calibration, run.predict([row.turn for row in splits.calibration]))
    first = metrics["heads"][labels.heads[0].name]
    guard = metrics["guards"][labels.guards[0].name]
    return {
        "seed": seed,
        "seconds": json.loads((folder / SECONDS).read_text()) if (folder / SECONDS).exists() else None,
        "exact": metrics["exact"],
        "accuracy": first["accuracy"],
        "macro_f1": first["macro_f1"],
        "surest 80 %": first["coverage"]["0.8"],
        "f1": guard["f1"],
        "mistakes": guard["mistakes"],
        "guarded": guard["turns"],
    }


def _times(folders: Mapping[str, Path], count: int) -> dict[str, Any]:
    """P50 of one decision for each student's int8 bundle, and of the stack's floor, measured in turns."""
    classifiers = {}
    for name, folder in folders.items():
        run = load_run(folder)
        export_bundle(run, folder / "bundle", run.test_turns(), "int8")
        classifiers[name] = Classifier.load(folder / "bundle")
    any_one = next(iter(classifiers.values()))
    splits = authored_splits(any_one.labels)
    turns = turns_of_length(any_one, [row.turn for row in splits.calibration])
    calls: dict[str, Call] = {"": floor(any_one)}
    calls |= {name: partial(_decide, classifier) for name, classifier in classifiers.items()}
    taken = in_turns(calls, turns, count, blocks=20)
    lowest = float(np.median(taken[""]))
    sizes = {name: _megabytes(folder / "bundle") for name, folder in folders.items()}
    return {
        "floor": percentiles(taken[""]),
        "times": {name: percentiles(taken[name]) for name in folders},
        "ratio": {name: round(float(np.median(taken[name])) / lowest, 2) for name in folders},
        "megabytes": sizes,
    }


def _decide(classifier: Classifier, turn: Any) -> object:
    return classifier(turn.utterance)


def _megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 2)


def _rows() -> dict[str, int]:
    return {name: len(rows) for name, rows in authored_splits(default_labels()).parts().items()}


def _folder(name: str, seed: int) -> str:
    plain: Sequence[str] = [c if c.isalnum() else "-" for c in name]
    return f"{''.join(plain)}-{seed}"


if __name__ == "__main__":
    typer.run(main)
