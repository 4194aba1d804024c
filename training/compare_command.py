"""``python -m training compare``: is the new bundle better than the one that it would replace?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from tinyclf import Classifier, DataError, LabelSet
from tinyclf.files import write_whole
from tinyclf.sources import read_records
from tinyclf.terminal import SHOWN, say, stop_at_bad
from training.corpus import FIELD, read_corpus
from training.report import show
from training.rows import Rows, to_rows


def compare(
    old: Annotated[Path, typer.Argument(help="The bundle in use.")],
    new: Annotated[Path, typer.Argument(help="The bundle that would replace it.")],
    data: Annotated[
        str,
        typer.Option(
            help="Rows with gold labels that neither bundle was trained or calibrated on: a file, a folder or a "
            "`datasets` id, as for fit. Without it: the authored field set."
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for compare.json, compare.md and regressions.jsonl. The last holds what was said, "
            "so keep it where such data may lie."
        ),
    ] = None,
    point: Annotated[str, typer.Option(help="The operating point of both.")] = "balanced",
    text_column: Annotated[str, typer.Option(help="The column with the text.")] = "utterance",
    skip_bad: Annotated[bool, typer.Option(help="Compare without the bad rows instead of stopping at them.")] = False,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit with 1 when the new bundle is proven to be worse.")
    ] = False,
) -> None:
    """Compare two bundles on gold rows, as users run them, and say whether the new one is better.

    The data must be unseen: a bundle does not tell what it was trained on, and rows that one of the two has learnt
    make it look better than it is. Rows that have a teacher's labels alone are left out.

    The verdict is about rows in which every head is right: better or worse when an exact McNemar test on the rows that
    only one bundle has right gives p < 0.05, otherwise there is no proven difference. A bundle that makes more guarded
    mistakes is never called better, and worse when that is proven. The tests of heads and slices are each taken by
    themselves: among twenty of them one falls below 0.05 by chance.

    The terminal and compare.json name rows by place and id and never quote them.

    Examples:

      python -m training compare tinyclf/default my-bundle

      python -m training compare my-bundle candidate --data gold.jsonl --out compared --fail-if-worse
    """
    from training.compare import compare as run_compare
    from training.compare import same_questions
    from training.compare_report import comparison_markdown, regression_lines, tables
    from training.paired import WORSE

    before, after = Classifier.load(old, point), Classifier.load(new, point)
    rows = _rows(data, same_questions(before.labels, after.labels), text_column)
    stop_at_bad(rows.bad, skip_bad, "compare")
    found, regressed = run_compare(before, after, rows.good)
    for title, header, lines in tables(found, SHOWN):
        show(title, header, lines)
    if len(regressed) > SHOWN:
        say(f"{len(regressed) - SHOWN} more rows that the old bundle had right; --out DIR writes them all")
    if out:
        write_whole(out / "compare.json", json.dumps(found, indent=1) + "\n")
        write_whole(out / "compare.md", comparison_markdown(found).encode("utf-8", "replace"))
        write_whole(out / "regressions.jsonl", regression_lines(regressed), private=True)
        say(f"written: {out}")
    typer.echo(f"verdict: {found['verdict']}")
    for reason in found["reasons"]:
        typer.echo(f"- {reason}")
    if fail_if_worse and found["verdict"] == WORSE:
        raise typer.Exit(1)


def _rows(data: str, labels: LabelSet, text_column: str) -> Rows:
    if data:
        return to_rows(read_records(data), labels, text_column)
    rows = read_corpus(labels, FIELD)
    if not rows.good:
        raise DataError(f"the field set has no labels for label set {labels.name!r}; give gold rows of it by --data")
    return rows
