"""``python -m training fit``: the options of a fit, and what it tells while it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tinyclf import LabelSet, default_labels, read_labels
from tinyclf.terminal import console, say, stop_at_bad
from training.corpus import AUTHORED, natural, read_data
from training.report import show, slice_header, slice_rows

OURS = [str(folder) for folder in AUTHORED]


class Architecture(StrEnum):
    """The kinds of student."""

    cnn = "cnn"
    mlp = "mlp"


def fit(
    out: Annotated[Path, typer.Option(help="Run folder. A stopped run in it is resumed by the same command.")],
    data: Annotated[
        list[str],
        typer.Option(
            help="A .jsonl, .csv or .parquet file, a folder of them, or a `datasets` id (NAME:SPLIT). "
            "Give it again for each further source; without it the authored corpus and drills are taken."
        ),
    ] = OURS,
    test: Annotated[
        list[str] | None,
        typer.Option(help="Test on these rows, which nothing else sees, instead of on a share of --data."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Label set (TOML). Without it: the default one, or the classes of --label-column."),
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(
            help="A folder of word lists (CLASS.txt, an entry a line) of words that mean alike: they share weights, so "
            "that a rare word is known from the others. Without it: our own with the default label set, else none."
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column with the text.")] = "utterance",
    label_column: Annotated[
        str, typer.Option(help="The column with the classes, when there is no label set: one head of that name.")
    ] = "",
    skip_bad: Annotated[bool, typer.Option(help="Train without the bad rows instead of stopping at them.")] = False,
    architecture: Annotated[Architecture, typer.Option(help="cnn: best, and fastest.")] = Architecture.cnn,
    vocabulary: Annotated[
        int, typer.Option(min=0, help="At most so many sentencepiece pieces; 0: 2 for 5 rows, from 500 to 8000.")
    ] = 0,
    dim: Annotated[int, typer.Option(min=1, help="Embedding size; folded away at export.")] = 128,
    width: Annotated[int, typer.Option(min=1, max=2, help="Tokens that a filter of the cnn sees at once.")] = 1,
    filters: Annotated[
        int, typer.Option(min=1, help="Filters (cnn) or projected features (mlp): the runtime's main cost.")
    ] = 128,
    buckets: Annotated[
        int,
        typer.Option(
            min=0,
            help="Buckets for tokens and pairs of tokens, in the wide path; 0: 20 for each row to learn from, "
            "at most 300,000.",
        ),
    ] = 0,
    dropout: Annotated[float, typer.Option(min=0.0, max=0.9, help="Dropout on embeddings and features.")] = 0.2,
    wide_dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of tokens and pairs that the wide path skips.")
    ] = 0.2,
    letters: Annotated[
        bool,
        typer.Option(help="Let words share weights by their letters: better on small sets. Costs nothing at runtime."),
    ] = True,
    members: Annotated[
        int,
        typer.Option(
            min=1,
            help="Train so many students from different seeds and merge them into one that answers their mean: "
            "better, takes so many times as long, and costs little at runtime.",
        ),
    ] = 2,
    jobs: Annotated[
        int, typer.Option(min=0, help="Train so many members side by side; 0: as many as there are cores.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="So many passes over the rows.")] = 25,
    patience: Annotated[
        int,
        typer.Option(
            min=0, help="Stop after so many epochs without a better dev score and keep the best weights; 0: never."
        ),
    ] = 0,
    rate: Annotated[float, typer.Option(help="Peak learning rate of AdamW.")] = 3e-3,
    batch: Annotated[int, typer.Option(min=1, help="Rows per step.")] = 64,
    smoothing: Annotated[float, typer.Option(min=0.0, max=0.9, help="Label smoothing, 0 to 1.")] = 0.15,
    distill_temperature: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Learn a teacher's labels at this temperature: above 1 its less likely classes count more, "
            "below 1 less. Without a teacher's labels it changes nothing.",
        ),
    ] = 1.0,
    gold_share: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Where a row has gold and a teacher's label: the part of gold in its loss. 1 ignores the teacher "
            "there, 0 ignores gold (it still judges the student).",
        ),
    ] = 0.5,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="Learn only the teacher's most likely class, to see what its soft labels are worth. "
            "Without it they are learnt as they are.",
        ),
    ] = False,
    augment: Annotated[
        bool, typer.Option(help="Vary the utterances as Vietnamese children and recognisers do.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Fixes all chance in training; the splits do not depend on it.")] = 0,
) -> None:
    """Train a student, calibrate it and evaluate it on rows that it never saw.

    A row has a text (`utterance`), optionally `previous` and `reply`, one column per head of the label set, and
    optionally `family` (rows of a family land in the same split), `id` and `lang`. A label is a class name, a list
    of names (any-of heads; `a|b` in CSV), or soft: {"proud": 0.7, "happy": 0.3}.

    A soft label is a teacher's word, as `python -m distill label` writes it; gold stands beside it in a column
    HEAD_gold. The student learns soft labels by distillation (arXiv:1503.02531), a row that the teacher was unsure of
    less than others, and is judged by gold wherever there is gold.

    The rows are split by family: 74 % to learn from (with --patience 6 % of the rows are kept to stop on), 16 % to
    calibrate on (6 % without guards, which need many), 10 % to test on; with --test the last 10 % are learnt from too.
    Copies of a turn, in one source or in several, go where the first of them goes.
    Everything lands in --out; `python -m export bundle --run OUT --out DIR` makes a bundle of it.

    Ctrl-C stops after the last checkpoint; the same command goes on from there and ends with the same weights.

    Examples:

      python -m training fit --out runs/mine

      python -m training fit --data training/data/corpus --data labelled --out runs/distilled

      python -m training fit --data logs.csv --labels my-labels.toml --out runs/logs

      python -m training fit --data train.jsonl --test test.jsonl --text-column text --label-column intent \
        --no-augment --out runs/intents
    """
    from training.agreement import AGREEMENT_HEADER, agreement_rows
    from training.ahead import cores
    from training.checkpoint import Progress as Done
    from training.fit import fit as run_fit
    from training.lexicon import LEXICON, read_lexicon
    from training.page import PAGE
    from training.schedule import Schedule
    from training.settings import Settings
    from training.split import SHARES, UNGUARDED, split_rows, with_test

    label_set = label_set_of(labels, data, label_column)
    ours = labels is None and not label_column
    rows = read_data(data, label_set, text_column, authored=ours)
    stop_at_bad(rows.bad, skip_bad, "train")
    splits = split_rows(rows.good, shares=SHARES if label_set.guards else UNGUARDED)
    splits = natural(splits) if ours else splits
    if splits.moved:
        say(f"{splits.moved} copies of turns moved to the split of the first copy")
    if test:
        judged = read_data(test, label_set, text_column, authored=False)
        stop_at_bad(judged.bad, skip_bad, "test")
        splits = with_test(splits, judged.good)
        if splits.moved:
            say(f"{splits.moved} rows left out: their turns stand in --test")
    schedule = Schedule(
        epochs=epochs, patience=patience, rate=rate, batch=batch, smoothing=smoothing, seed=seed,
        distill_temperature=distill_temperature, gold_share=gold_share, hard=hard,
    )  # fmt: skip
    settings = Settings(
        architecture.value, vocabulary, dim, width, filters, buckets, dropout, wide_dropout, letters, members,
        schedule, augment,
    )  # fmt: skip
    words = read_lexicon(lexicon or LEXICON) if lexicon or ours else None
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("loss {task.fields[loss]} dev {task.fields[dev]}"), console=console,
    )  # fmt: skip
    with bar:
        task = bar.add_task("epochs", total=epochs * members, loss="-", dev="-")

        epochs_of = [0] * members

        def each_epoch(member: int, progress: "Done") -> None:
            last, epochs_of[member] = progress.history[-1], progress.epoch
            bar.update(
                task, completed=sum(epochs_of), loss=f"{last['loss']:.3f}", dev=f"{last.get('dev', float('nan')):.3f}"
            )

        try:
            run = run_fit(label_set, splits, settings, out, each_epoch, jobs or cores(), words)
        except KeyboardInterrupt:
            say(f"stopped; everything up to the last checkpoint is in {out}. The same command goes on from there.")
            raise typer.Exit(130) from None
    for name, metrics in run.report["test"].items():
        show(f"test split at operating point {name}", slice_header(metrics), slice_rows(metrics))
    if teacher := run.report.get("teacher"):
        title = f"agreement on the {teacher['rows']} rows of the test split that a teacher labelled"
        show(title, AGREEMENT_HEADER, agreement_rows(teacher))
    say(f"report with confusion matrices and reliability diagrams: {out / PAGE}")
    say(f"done: {out}. Next: python -m export bundle --run {out} --out DIR")


def label_set_of(path: Path | None, data: list[str], label_column: str) -> LabelSet:
    """The label set that the options name: a file, the classes of a column, or the default one."""
    from training.infer import infer_labels

    if path is not None:
        return read_labels(path)
    return infer_labels(data, label_column) if label_column else default_labels()
