"""``python -m training``: check the corpus, train a student, evaluate it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tinyclf import LabelSet, TinyclfError, default_labels, read_labels
from tinyclf.sources import read_records
from training.corpus import CORPUS, FIELD, counts, overlap, read_corpus
from training.report import show, slice_header, slice_rows
from training.rows import Rows, to_rows

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
corpus_app = typer.Typer(help="The authored corpus and its field set.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
console = Console(stderr=True)
SHOWN = 20


class Architecture(StrEnum):
    """The kinds of student."""

    cnn = "cnn"
    mlp = "mlp"


@corpus_app.command("check")
def corpus_check() -> None:
    """Validate every row of the corpus and the field set, and print their counts; exit 1 when a row is bad."""
    labels = default_labels()
    corpus, field = read_corpus(labels), read_corpus(labels, FIELD)
    bad = [str(row) for row in corpus.bad + field.bad]
    bad += [
        f"{place}: the same turn stands in the corpus at {other}" for place, other in overlap(corpus.good, field.good)
    ]
    for name, rows in (("corpus", corpus.good), ("field set", field.good)):
        found = counts(rows, labels)
        show(
            f"{name}: {found['rows']} rows, {found['topics']} topics, {found['families']} families, "
            f"{found['with_previous'] / max(found['rows'], 1):.0%} with previous, "
            f"{found['with_reply'] / max(found['rows'], 1):.0%} with reply",
            ["class", *found["languages"]],
            [[cls, *[by.get(lang, 0) for lang in found["languages"]]] for cls, by in found["classes"].items()],
        )
        if name == "corpus":
            show("splits, by family", list(found["splits"]), [list(found["splits"].values())])
    _name_bad(bad)
    if bad:
        raise typer.Exit(1)


@app.command()
def fit(
    out: Annotated[Path, typer.Option(help="Run folder. A stopped run in it is resumed by the same command.")],
    data: Annotated[
        str, typer.Option(help="A .jsonl, .csv or .parquet file, a folder of them, or a `datasets` id (NAME:SPLIT).")
    ] = str(CORPUS),
    labels: Annotated[
        Path | None,
        typer.Option(help="Label set (TOML). Without it: the default one, or the classes of --label-column."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column with the text.")] = "utterance",
    label_column: Annotated[
        str, typer.Option(help="The column with the classes, when there is no label set: one head of that name.")
    ] = "",
    skip_bad: Annotated[bool, typer.Option(help="Train without the bad rows instead of stopping at them.")] = False,
    architecture: Annotated[Architecture, typer.Option(help="cnn: best. mlp: fastest.")] = Architecture.cnn,
    vocabulary: Annotated[int, typer.Option(min=300, help="At most so many sentencepiece pieces.")] = 5000,
    dim: Annotated[int, typer.Option(min=1, help="Embedding size; folded away at export.")] = 64,
    filters: Annotated[
        int, typer.Option(help="Filters (cnn) or projected features (mlp): the runtime's main cost.")
    ] = 64,
    hidden: Annotated[int, typer.Option(min=1, help="Width of the hidden layer.")] = 64,
    buckets: Annotated[
        int, typer.Option(min=1, help="Buckets for tokens and pairs of tokens, in the wide path.")
    ] = 80_000,
    dropout: Annotated[float, typer.Option(help="Dropout on embeddings, features and hidden layer.")] = 0.3,
    epochs: Annotated[int, typer.Option(min=1, help="At most so many passes over the rows.")] = 25,
    patience: Annotated[int, typer.Option(help="Stop after so many epochs without a better dev score.")] = 12,
    rate: Annotated[float, typer.Option(help="Peak learning rate of AdamW.")] = 3e-3,
    batch: Annotated[int, typer.Option(min=1, help="Rows per step.")] = 64,
    smoothing: Annotated[float, typer.Option(help="Label smoothing, 0 to 1.")] = 0.15,
    augment: Annotated[
        bool, typer.Option(help="Vary the utterances as Vietnamese children and recognisers do.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Fixes all chance in training; the splits do not depend on it.")] = 0,
) -> None:
    """Train a student, calibrate it and evaluate it on rows that it never saw.

    A row has a text (`utterance`), optionally `previous` and `reply`, one column per head of the label set, and
    optionally `family` (rows of a family land in the same split), `id` and `lang`. A label is a class name, a list
    of names (any-of heads; `a|b` in CSV), or soft: {"proud": 0.7, "happy": 0.3}.

    The rows are split by family: 68 % to learn from, 6 % to stop early on, 16 % to calibrate on, 10 % to test on.
    Everything lands in --out; `python -m export bundle --run OUT --out DIR` makes a bundle of it.

    Ctrl-C stops after the last checkpoint; the same command goes on from there and ends with the same weights.

    Examples:

      python -m training fit --out runs/mine

      python -m training fit --data logs.csv --labels my-labels.toml --out runs/logs

      python -m training fit --data train.jsonl --text-column text --label-column intent --no-augment --out runs/intents
    """
    from training.checkpoint import Progress as Done
    from training.fit import Settings
    from training.fit import fit as run_fit
    from training.loop import Schedule
    from training.split import split_rows

    label_set = _labels(labels, data, label_column)
    rows = (
        read_corpus(label_set)
        if labels is None and Path(data).resolve() == CORPUS
        else to_rows(read_records(data), label_set, text_column)
    )
    _stop_at_bad(rows, skip_bad)
    schedule = Schedule(epochs=epochs, patience=patience, rate=rate, batch=batch, smoothing=smoothing, seed=seed)
    settings = Settings(architecture.value, vocabulary, dim, filters, hidden, buckets, dropout, schedule, augment)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("loss {task.fields[loss]} dev {task.fields[dev]}"), console=console,
    )  # fmt: skip
    with bar:
        task = bar.add_task("epochs", total=epochs, loss="-", dev="-")

        def each_epoch(progress: "Done") -> None:
            last = progress.history[-1]
            bar.update(task, completed=int(last["epoch"]), loss=f"{last['loss']:.3f}", dev=f"{last['dev']:.3f}")

        try:
            run = run_fit(label_set, split_rows(rows.good), settings, out, each_epoch)
        except KeyboardInterrupt:
            _say(f"stopped; everything up to the last checkpoint is in {out}. The same command goes on from there.")
            raise typer.Exit(130) from None
    for name, metrics in run.report["test"].items():
        show(f"test split at operating point {name}", slice_header(metrics), slice_rows(metrics))
    _say(f"done: {out}. Next: python -m export bundle --run {out} --out DIR")


def _labels(path: Path | None, data: str, label_column: str) -> LabelSet:
    from training.infer import infer_labels

    if path is not None:
        return read_labels(path)
    return infer_labels(data, label_column) if label_column else default_labels()


def _stop_at_bad(rows: Rows, skip: bool) -> None:
    _name_bad([str(row) for row in rows.bad])
    if rows.bad and not skip:
        _say("mend these rows, or train without them by --skip-bad")
        raise typer.Exit(1)


def _name_bad(bad: list[str]) -> None:
    for line in bad[:SHOWN]:
        _say(line)
    if bad:
        more = f" ({len(bad) - SHOWN} more not shown)" if len(bad) > SHOWN else ""
        _say(f"{len(bad)} bad rows{more}")


def _say(line: str) -> None:
    """Print a line as it is: no wrapping, so that paths can be copied, and no markup, so that data stays data."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command; errors that we foresaw end with one line and exit code 1."""
    try:
        app(prog_name="python -m training")
    except (TinyclfError, OSError) as error:
        _say(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
