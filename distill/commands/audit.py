"""``python -m distill audit``: the teacher against gold rows, or against another teacher."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tinyclf.terminal import say


def audit(
    folder: Annotated[
        Path, Argument(help="A folder of `distill label` whose input had gold labels in the heads' columns.")
    ],
    against: Annotated[
        Path | None, Option(help="Another such folder, of the same turns: another teacher, or another prompt.")
    ] = None,
) -> None:
    """Report how good a teacher is on gold rows, and find the prior and the temperatures that suit it.

    Writes FOLDER/audit: report.md and report.json (accuracy, kappa, confusion, calibration before and after, slices),
    confusion.png, review.csv with the rows that people should look at, and calibration.json for
    `distill label --calibration`, which is good for this teacher and this prompt alone.

    Examples:

      python -m distill label gold.jsonl --out gold --prior content-free

      python -m distill audit gold

      python -m distill label logs.jsonl --out labelled --calibration gold/audit/calibration.json
    """
    from distill.audit import audit as run_audit
    from distill.audit import probabilities
    from distill.audit_report import page, plot_confusion
    from distill.beside import beside
    from distill.debias import Debias
    from distill.labelled import read_labelled
    from distill.review import against_gold, against_teacher, as_csv
    from tinyclf.files import write_json, write_whole

    labelled, out = read_labelled(folder), folder / "audit"
    found, calibration, given = run_audit(labelled)
    review, other = against_gold(labelled, given), None
    if against:  # both without a prior, for gold has chosen none for the second
        second = read_labelled(against)
        plain, others = probabilities(labelled, Debias()), probabilities(second, Debias())
        other = beside(labelled, second, plain, others)
        review += against_teacher(labelled, second, plain, others)
    text = page(labelled.report, found, other)
    write_json(out / "report.json", {**found, "beside": other})
    write_whole(out / "report.md", text)
    plot_confusion(found, out / "confusion.png")
    write_whole(out / "review.csv", as_csv(review).encode("utf-8", "replace"), private=True)
    write_json(out / "calibration.json", asdict(calibration))
    say(text)
    say(f"{len(review)} rows to look at: {out / 'review.csv'}")
    say(f"next: python -m distill label INPUT --out DIR --calibration {out / 'calibration.json'}")
