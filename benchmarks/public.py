"""Any text classification set: the student beside its peers. ``python -m benchmarks.public FOLDER``."""

import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.machine import in_words, machine
from benchmarks.peers import FastText, Peer
from benchmarks.results import console, write_results
from tinyclf import DataError, LabelSet
from tinyclf.calibration import Floats
from tinyclf.sources import read_records
from tinyclf.tables import markdown
from training.ahead import cores
from training.baseline import TfidfLogistic
from training.evaluate import evaluate
from training.fit import fit
from training.infer import infer_labels
from training.rows import Row, Rows, to_rows
from training.schedule import Schedule
from training.settings import Settings
from training.split import UNGUARDED, split_rows, with_test
from training.twins import plain_turn

OURS = "tinyclf"


def main(
    folder: Annotated[Path, typer.Argument(help="A folder of sets, each a folder with train.jsonl and test.jsonl.")],
    rows: Annotated[int, typer.Option(help="Learn from so many rows of each set, drawn once.")] = 5000,
    seeds: Annotated[int, typer.Option(help="Seeds of the student and of fastText.")] = 3,
) -> None:
    """Fit each set's rows with the defaults of `python -m training fit`, and write results/public.{json,md}.

    A line is {"text": ..., "label": ...}, or {"text": ..., "labels": [...]} where a text may have several. The student
    keeps 6 % of the rows to calibrate on; peers learn from all of them.
    """
    host = machine()
    found: dict[str, Any] = {"machine": host, "rows": rows, "seeds": seeds, "sets": {}}
    for place in sorted(path.parent for path in folder.glob("*/train.jsonl")):
        console.print(place.name)
        found["sets"][place.name] = _set(place, rows, seeds)
    write_results("public", found, _text(found))


def _set(place: Path, count: int, seeds: int) -> dict[str, Any]:
    train, test = str(place / "train.jsonl"), str(place / "test.jsonl")
    first = json.loads((place / "train.jsonl").read_text(encoding="utf-8").partition("\n")[0])
    labels = infer_labels([train, test], "labels" if "labels" in first else "label")
    known, judged = (_good(to_rows(read_records(source), labels, "text")) for source in (train, test))
    tested = {plain_turn(row.turn) for row in judged}
    known = [row for row in known if plain_turn(row.turn) not in tested]
    random.Random(0).shuffle(known)
    known = known[:count]
    systems: dict[str, list[dict[str, float]]] = {}
    head = labels.heads[0]
    for seed in range(seeds):
        systems.setdefault(OURS, []).append(_student(labels, known, judged, seed))
        peers: list[Peer] = [TfidfLogistic(), *([FastText()] if head.kind == "one-of" else [])]
        for peer in peers:
            if seed and not peer.by_chance:
                continue
            begun = time.monotonic()
            peer.fit(labels, known, seed)
            taken = time.monotonic() - begun
            given = peer.probabilities([row.turn for row in judged])
            systems.setdefault(peer.name, []).append(_figures(labels, judged, given, taken))
    sizes = {"classes": len(head.names), "rows": len(known), "test": len(judged)}
    return {**sizes, "kind": head.kind, "systems": systems}


def _good(rows: Rows) -> list[Row]:
    if rows.bad:
        raise DataError(str(rows.bad[0]))
    return rows.good


def _student(labels: LabelSet, known: Sequence[Row], judged: Sequence[Row], seed: int) -> dict[str, float]:
    settings = Settings(schedule=Schedule(seed=seed), augment=False)
    splits = with_test(split_rows(known, shares=UNGUARDED), judged)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        run = fit(labels, splits, settings, Path(folder), jobs=cores())
        taken = time.monotonic() - begun
    return _figures(labels, judged, run.predict([row.turn for row in judged]), taken)


def _figures(labels: LabelSet, rows: Sequence[Row], given: Mapping[str, Floats], seconds: float) -> dict[str, float]:
    figures = evaluate(labels, rows, given)["heads"][labels.heads[0].name]
    return {**{key: figures[key] for key in ("accuracy", "macro_f1", "ece")}, "seconds": seconds}


def _text(found: Mapping[str, Any]) -> str:
    table = []
    for name, result in found["sets"].items():
        for system, runs in result["systems"].items():
            cells = [_cell([run[key] for run in runs]) for key in ("accuracy", "macro_f1", "ece")]
            seconds = f"{np.mean([run['seconds'] for run in runs]):.0f}"
            sizes = [result[key] for key in ("classes", "kind", "rows", "test")]
            table.append([f"{name}: {system}", *sizes, *cells, seconds])
    header = ["set and system", "classes", "kind", "rows", "test rows", "accuracy", "macro-F1", "ECE", "seconds to fit"]
    return "\n".join(
        [
            f"# Public sets\n\n{in_words(found['machine'])}",
            "Each system learns the same rows of a set's train split, drawn once and without turns of the test "
            "split, on which it is judged. The student has the defaults of `python -m training fit --no-augment` and "
            f"keeps 6 % of the rows to calibrate on. {found['seeds']} seeds, mean ± standard deviation. fastText is "
            "left out where a text may have several classes. A text of several classes counts as right when all of "
            "them are.\n",
            markdown(header, table),
        ]
    )


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    typer.run(main)
