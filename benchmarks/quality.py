"""How well the student decides, beside the peers, over five seeds: ``python -m benchmarks.quality``."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.machine import machine
from benchmarks.noise import noisy
from benchmarks.peers import FastText, MiniLm, MiniLmFolder, Peer
from benchmarks.quality_report import plot, text
from benchmarks.quality_targets import OURS
from benchmarks.quiz import quiz_figures
from benchmarks.results import RESULTS, console, write_results
from tinyclf import default_labels
from tinyclf.labelfile import parse_labels
from training.baseline import TfidfLogistic
from training.corpus import DISTRESS, FIELD, QUIZ, authored_splits, read_corpus
from training.evaluate import Metrics, evaluate, without_topics
from training.fit import fit
from training.lexicon import read_lexicon
from training.rows import Row
from training.settings import SHIPPED
from training.split import Splits

Runs = dict[str, list[Metrics]]
BY_TOPIC = ("distress", "noisy distress")


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    jobs: Annotated[int, typer.Option(help="Students trained at once; 0: one for each core.")] = 0,
    out: Annotated[Path, typer.Option(help="Run folders; what is finished there is not fitted again.")] = Path(
        "runs/quality"
    ),
    minilm: MiniLmFolder = None,
) -> None:
    """Train student and peers on the same rows and write results/quality.{json,md,png}."""
    host = machine()
    labels = default_labels()
    splits = authored_splits(labels)
    field, distress = read_corpus(labels, FIELD).good, read_corpus(labels, DISTRESS).good
    sets = {
        "field": field, "test": splits.test, "noisy field": noisy(field), "distress": distress,
        "noisy distress": noisy(distress),
    }  # fmt: skip
    runs: dict[str, Runs] = {name: {} for name in sets}
    points: dict[str, Runs] = {name: {} for name in sets}
    quiz: dict[str, list[Any]] = {}
    with ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        students = [
            pool.submit(student_figures, labels.source, splits, seed, sets, out / f"seed-{seed}")
            for seed in range(seeds)
        ]
        for seed, student in enumerate(students):
            figures = student.result()
            console.print(f"seed {seed} of {seeds}")
            for name in sets:
                runs[name].setdefault(OURS, []).append(figures["ungated"][name])
                for point, metrics in figures["points"][name].items():
                    points[name].setdefault(point, []).append(metrics)
            for point, found_there in figures["quiz"].items():
                quiz.setdefault(point, []).append(found_there)
    for seed in range(seeds):
        peers: list[Peer] = [TfidfLogistic(), FastText(), *([MiniLm(minilm)] if minilm else [])]
        for peer in peers:
            if seed and not peer.by_chance:
                for name in sets:
                    runs[name][peer.name].append(runs[name][peer.name][0])
                continue
            peer.fit(labels, splits.train + splits.dev, seed)
            for name, rows in sets.items():
                given = peer.probabilities([row.turn for row in rows])
                runs[name].setdefault(peer.name, []).append(evaluate(labels, rows, given))
    found: dict[str, Any] = {
        "machine": host,
        "seeds": seeds,
        "rows": {name: len(rows) for name, rows in sets.items()} | {"train": len(splits.train), "dev": len(splits.dev)},
        "ungated": {
            name: {system: _summary(name, ms) for system, ms in systems.items()} for name, systems in runs.items()
        },
        "operating points": {name: {p: _summary(name, ms) for p, ms in by.items()} for name, by in points.items()},
        "quiz": quiz,
        "each seed, field": {
            system: [{h: m["heads"][h]["accuracy"] for h in m["heads"]} for m in ms]
            for system, ms in runs["field"].items()
        },
    }
    write_results("quality", found, text(labels, found, minilm is not None))
    plot(labels, found["ungated"]["field"], RESULTS / "quality.png")


def student_figures(
    table: Mapping[str, Any], splits: Splits, seed: int, sets: Mapping[str, Sequence[Row]], folder: Path
) -> dict[str, Any]:
    """The shipped student of one seed on every set: ungated, at each operating point, and on the quiz set."""
    labels = parse_labels(table)
    settings = replace(SHIPPED, schedule=replace(SHIPPED.schedule, seed=seed))
    run = fit(labels, splits, settings, folder, lexicon=read_lexicon())
    found: dict[str, Any] = {"ungated": {}, "points": {}, "quiz": {}}
    for name, rows in sets.items():
        given = run.predict([row.turn for row in rows])
        found["ungated"][name] = evaluate(labels, rows, given)
        found["points"][name] = {
            point.name: evaluate(labels, rows, given, point) for point in run.calibration.points.values()
        }
    rows = read_corpus(labels, QUIZ).good
    given = run.predict([row.turn for row in rows])
    found["quiz"] = {point.name: quiz_figures(labels, rows, given, point) for point in run.calibration.points.values()}
    return found


def _summary(name: str, metrics: Sequence[Metrics]) -> Any:
    """The mean over the seeds; by topic too where the topic is what a set is divided by."""
    return _mean(metrics if name in BY_TOPIC else [without_topics(m) for m in metrics])


def _mean(metrics: Sequence[Any]) -> Any:
    """The mean, standard deviation and largest of every figure over the seeds."""
    first = metrics[0]
    if isinstance(first, dict):
        return {key: _mean([m[key] for m in metrics if key in m]) for key in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        spread = float(np.std(metrics, ddof=1)) if len(metrics) > 1 else 0.0
        return {"mean": float(np.mean(metrics)), "sd": spread, "largest": float(np.max(metrics))}
    return first


if __name__ == "__main__":
    typer.run(main)
