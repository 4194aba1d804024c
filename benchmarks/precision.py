"""What smaller tables and folding cost and save: ``python -m benchmarks.precision``."""

import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.machine import in_words, machine
from benchmarks.results import console, write_results
from benchmarks.timing import Call, in_turns, percentiles
from export.bundle import export_bundle
from export.quantise import Precision
from tinyclf import Classifier, Decision, Turn
from tinyclf.tables import markdown
from training.corpus import FIELD, read_corpus
from training.rows import Row
from training.run import load_run
from training.split import split_rows

VARIANTS: dict[str, tuple[Precision, bool]] = {
    "float32, folded": ("float32", True),
    "float32, convolution not folded": ("float32", False),
    "float16, folded": ("float16", True),
    "int8, folded": ("int8", True),
}


def main(
    run: Annotated[Path, typer.Option(help="A finished run; `make bundle` leaves the default one here.")] = Path(
        "runs/default"
    ),
    count: Annotated[int, typer.Option(help="Calls to each variant.")] = 20_000,
) -> None:
    """Export one run in every precision and compare size, time, parity and accuracy."""
    host = machine()
    fitted = load_run(run)
    test = split_rows(read_corpus(fitted.labels).good).test
    field = read_corpus(fitted.labels, FIELD).good
    found: dict[str, Any] = {"machine": host, "test rows": len(test), "field rows": len(field), "variants": {}}
    calls: dict[str, Call] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (precision, folded) in VARIANTS.items():
            console.print(f"exporting {name}")
            out = Path(folder) / name
            _, parity = export_bundle(fitted, out, fitted.test_turns(), precision, folded)
            classifier = Classifier.load(out)
            calls[name] = partial(_decide, classifier)
            found["variants"][name] = {
                "bundle MB": round(sum(file.stat().st_size for file in out.iterdir()) / 1e6, 2),
                "zipped MB": round(_zipped(out) / 1e6, 2),
                "largest difference": max(parity.largest.values()),
                "test, all heads right": _right(classifier, test),
                "field, all heads right": _right(classifier, field),
            }
        turns = [row.turn for row in test if 10 <= len(row.turn.utterance.split()) <= 16]
        for name, times in in_turns(calls, turns, count).items():
            found["variants"][name] |= {key: percentiles(times)[key] for key in ("p50", "p99")}
    write_results("precision", found, _text(found))


def _decide(classifier: Classifier, turn: Turn) -> Decision:
    return classifier(turn.utterance)


def _right(classifier: Classifier, rows: list[Row]) -> float:
    decisions = classifier.batch([row.turn for row in rows])
    hits = [d.labels == row.labels(classifier.labels) for d, row in zip(decisions, rows, strict=True)]
    return round(sum(hits) / len(hits), 4)


def _zipped(folder: Path) -> int:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    return archive.stat().st_size


def _text(found: dict[str, Any]) -> str:
    keys = list(next(iter(found["variants"].values())))
    rows = [
        [name, *(f"{v[key]:.2g}" if key == "largest difference" else v[key] for key in keys)]
        for name, v in found["variants"].items()
    ]
    return (
        f"# Precision and folding\n\n{in_words(found['machine'])}\nOne run exported four ways. The largest "
        "difference is that of any probability to torch's, over the test split and random unicode. P50 and P99 in "
        f"microseconds for utterances of 10 to 16 words, the variants in turns. {found['test rows']} test rows, "
        f"{found['field rows']} field rows.\n\n{markdown(['variant', *keys], rows)}"
    )


if __name__ == "__main__":
    typer.run(main)
