"""``python -m training triage``: the options, and what it tells while it runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tinyclf.files import write_whole
from tinyclf.terminal import console, say, stop_at_bad
from training.corpus import CORPUS, read_data
from training.fit_command import label_set_of
from training.report import show

SHOWN = 15
AUTHORED = [str(CORPUS)]


def triage(
    out: Annotated[Path, typer.Option(help="Write the doubtful rows here (JSON Lines). It holds what was said.")],
    data: Annotated[
        list[str], typer.Option(help="Sources as `fit` takes them; without it the authored corpus.")
    ] = AUTHORED,
    labels: Annotated[
        Path | None,
        typer.Option(help="Label set (TOML). Without it: the default one, or the classes of --label-column."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column with the text.")] = "utterance",
    label_column: Annotated[str, typer.Option(help="The column with the classes, when there is no label set.")] = "",
    skip_bad: Annotated[bool, typer.Option(help="Go on without the bad rows instead of stopping at them.")] = False,
) -> None:
    """Find the gold labels that deserve a second look, least believed first.

    A linear model judges every row without having seen it or its family; cleanlab names the labels that it finds
    hard to believe (confident learning, arXiv:1911.00068). A doubt is no mistake: hard and rare turns are doubted
    too. Look at the rows, mend or drop what is wrong, and train again.

    Examples:

      python -m training triage --out doubts.jsonl

      python -m training triage --data logs.csv --labels my-labels.toml --out doubts.jsonl
    """
    from training.triage import FOLDS, doubts, lines

    label_set = label_set_of(labels, data, label_column)
    rows = read_data(data, label_set, text_column, authored=labels is None)
    stop_at_bad(rows.bad, skip_bad, "go on")
    gold = [row for row in rows.good if row.gold]
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    with bar:
        task = bar.add_task("folds", total=FOLDS)
        found = doubts(label_set, gold, lambda: bar.advance(task))
    write_whole(out, lines(found), private=True)
    show(
        f"{len(found)} doubtful labels on {len(gold)} gold rows; the least believed",
        ["place", "head", "given", "suggested", "belief"],
        [[Path(d.row.place).name, d.head, d.given, d.suggested, f"{d.belief:.3f}"] for d in found[:SHOWN]],
    )
    say(f"done: {out}")
