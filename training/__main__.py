"""``python -m training``: check the corpus and its labels, train a student, compare it with the one before."""

import typer

from tinyclf import default_labels
from tinyclf.terminal import name_bad, run_app, say
from training.compare_command import compare
from training.corpus import DRILLS, TEST_ONLY, counts, overlap, read_corpus
from training.drills import write_drills
from training.fit_command import fit
from training.report import show
from training.triage_command import triage

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
corpus_app = typer.Typer(help="The authored corpus and its sets for testing.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
app.command()(fit)
app.command()(compare)
app.command()(triage)


@corpus_app.command("check")
def corpus_check() -> None:
    """Check every row of the corpus, the drills and the sets for testing, and print counts; exit 1 at a bad row."""
    labels = default_labels()
    learnt = {"corpus": read_corpus(labels), "drills": read_corpus(labels, DRILLS)}
    tests = {name: read_corpus(labels, folder) for name, folder in TEST_ONLY.items()}
    bad = [str(row) for rows in (*learnt.values(), *tests.values()) for row in rows.bad]
    for name, rows in learnt.items():
        bad += [
            f"{place}: the same turn stands in the {name} at {other}"
            for test in tests.values()
            for place, other in overlap(rows.good, test.good)
        ]
    for name, rows in {**learnt, **tests}.items():
        found = counts(rows.good, labels)
        show(
            f"{name}: {found['rows']} rows, {found['topics']} topics, {found['families']} families, "
            f"{found['with_previous'] / max(found['rows'], 1):.0%} with previous, "
            f"{found['with_reply'] / max(found['rows'], 1):.0%} with reply",
            ["class", *found["languages"]],
            [[cls, *[by.get(lang, 0) for lang in found["languages"]]] for cls, by in found["classes"].items()],
        )
        if name == "corpus":
            show("splits, by family", list(found["splits"]), [list(found["splits"].values())])
    name_bad(bad)
    if bad:
        raise typer.Exit(1)


@corpus_app.command("drills")
def corpus_drills() -> None:
    """Make the drills anew from training/data/facts, after a change there."""
    say(f"{write_drills()} rows: {DRILLS}")


if __name__ == "__main__":
    run_app(app, "python -m training")
