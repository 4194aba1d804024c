"""How well the student decides, beside the peers, over five seeds: ``python -m benchmarks.quality``."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.machine import machine
from benchmarks.noise import noisy
from benchmarks.peers import FastText, MiniLm, MiniLmFolder, Peer
from benchmarks.quality_report import OURS, plot, text
from benchmarks.quiz import quiz_figures
from benchmarks.results import RESULTS, console, write_results
from tinyclf import LabelSet, default_labels
from training.baseline import TfidfLogistic
from training.corpus import DISTRESS, FIELD, QUIZ, read_corpus
from training.evaluate import Metrics, evaluate
from training.fit import fit
from training.rows import Row
from training.schedule import Schedule
from training.settings import Settings
from training.split import Splits, split_rows

Runs = dict[str, list[Metrics]]


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 5,
    minilm: MiniLmFolder = None,
) -> None:
    """Train student and peers on the same rows and write results/quality.{json,md,png}."""
    host = machine()
    labels = default_labels()
    splits = split_rows(read_corpus(labels).good)
    field, distress = read_corpus(labels, FIELD).good, read_corpus(labels, DISTRESS).good
    sets = {
        "field": field, "test": splits.test, "noisy field": noisy(field), "distress": distress,
        "noisy distress": noisy(distress),
    }  # fmt: skip
    runs: dict[str, Runs] = {name: {} for name in sets}
    points: dict[str, Runs] = {name: {} for name in sets}
    quiz: dict[str, list[Any]] = {}
    for seed in range(seeds):
        console.print(f"seed {seed} of {seeds}")
        _student(labels, splits, seed, sets, runs, points, quiz)
        peers: list[Peer] = [TfidfLogistic(), FastText(), *([MiniLm(minilm)] if minilm else [])]
        for peer in peers:
            peer.fit(labels, splits.train + splits.dev, seed)
            for name, rows in sets.items():
                given = peer.probabilities([row.turn for row in rows])
                runs[name].setdefault(peer.name, []).append(evaluate(labels, rows, given))
    found: dict[str, Any] = {
        "machine": host,
        "seeds": seeds,
        "rows": {name: len(rows) for name, rows in sets.items()} | {"train": len(splits.train), "dev": len(splits.dev)},
        "ungated": {name: {system: _mean(ms) for system, ms in systems.items()} for name, systems in runs.items()},
        "operating points": {name: {p: _mean(ms) for p, ms in by.items()} for name, by in points.items()},
        "quiz": quiz,
        "each seed, field": {
            system: [{h: m["heads"][h]["accuracy"] for h in m["heads"]} for m in ms]
            for system, ms in runs["field"].items()
        },
    }
    write_results("quality", found, text(labels, found, minilm is not None))
    plot(labels, found["ungated"]["field"], RESULTS / "quality.png")


def _student(
    labels: LabelSet, splits: Splits, seed: int, sets: Mapping[str, Sequence[Row]],
    runs: dict[str, Runs], points: dict[str, Runs], quiz: dict[str, list[Any]],
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = fit(labels, splits, Settings(schedule=Schedule(seed=seed)), Path(folder))
        for name, rows in sets.items():
            given = run.predict([row.turn for row in rows])
            runs[name].setdefault(OURS, []).append(evaluate(labels, rows, given))
            for point in run.calibration.points.values():
                points[name].setdefault(point.name, []).append(evaluate(labels, rows, given, point))
        rows = read_corpus(labels, QUIZ).good
        given = run.predict([row.turn for row in rows])
        for point in run.calibration.points.values():
            quiz.setdefault(point.name, []).append(quiz_figures(labels, rows, given, point))


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
