"""Check the authored corpus: every row, the counts, and that nothing of a test leaks into training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyclf import LabelSet
from tinyclf.labelset import as_tuple
from tinyclf.sources import read_records
from training.rows import BadRow, Row, Rows, to_rows
from training.split import SHARES, Splits, part_of, split_rows
from training.twins import plain_turn

DATA = Path(__file__).parent / "data"
CORPUS, DRILLS = DATA / "corpus", DATA / "drills"
FIELD, DISTRESS, QUIZ = DATA / "field", DATA / "distress", DATA / "quiz"
AUTHORED = (CORPUS, DRILLS)
"""What the default student learns from; drills are rows made from facts (see ``training.drills``)."""
TEST_ONLY = {"field set": FIELD, "distress set": DISTRESS, "quiz set": QUIZ}
"""Sets by which nothing is ever written, trained, tuned or chosen."""
LANGUAGES = ("vi", "en", "mix")


def read_corpus(labels: LabelSet, folder: Path = CORPUS) -> Rows:
    """Read an authored folder and check what the general reader does not ask for.

    Beyond ``to_rows`` every row needs a stable id of its own, a language, a family and a label for each head, and no
    turn may stand twice.
    """
    rows = to_rows(read_records(str(folder)), labels)
    ids: dict[str, str] = {}
    turns: dict[str, str] = {}
    good = []
    for row in rows.good:
        reason = _reason(row, labels, ids, turns)
        ids.setdefault(row.id, row.place)
        turns.setdefault(plain_turn(row.turn), row.place)
        if reason:
            rows.bad.append(BadRow(row.place, reason))
        else:
            good.append(row)
    rows.good = good
    return rows


def authored_splits(labels: LabelSet) -> Splits:
    """What the default student learns from, is calibrated and tested on."""
    rows = read_data([str(folder) for folder in AUTHORED], labels, "utterance", authored=True)
    return natural(split_rows(rows.good))


def natural(splits: Splits) -> Splits:
    """The same without drills to calibrate and test on: those are to be learnt from, and no child says so many."""
    calibration, test = (
        [row for row in part if row.topic != DRILLS.name] for part in (splits.calibration, splits.test)
    )
    return replace(splits, calibration=calibration, test=test)


def read_data(sources: Sequence[str], labels: LabelSet, text_column: str, *, authored: bool) -> Rows:
    """Read sources one after another; ``authored``: what is ours keeps its extra checks where it is among them."""
    rows = Rows()
    for source in sources:
        ours = authored and Path(source).resolve() in AUTHORED
        found = read_corpus(labels, Path(source)) if ours else to_rows(read_records(source), labels, text_column)
        rows.good += found.good
        rows.bad += found.bad
    return rows


def overlap(corpus: Sequence[Row], other: Sequence[Row]) -> list[tuple[str, str]]:
    """The places of rows in ``other`` whose turn stands in ``corpus`` too, with where it stands there."""
    known = {plain_turn(row.turn): row.place for row in corpus}
    return [(row.place, known[turn]) for row in other if (turn := plain_turn(row.turn)) in known]


def counts(rows: Sequence[Row], labels: LabelSet) -> dict[str, Any]:
    """Counts by language, split and class, and the shares of rows with ``previous`` and ``reply``."""
    by_class: dict[str, Counter[str]] = {}
    for row in rows:
        for head, value in row.labels(labels).items():
            for name in as_tuple(value):
                by_class.setdefault(f"{head}={name}", Counter())[row.lang] += 1
    return {
        "rows": len(rows),
        "topics": len({row.topic for row in rows}),
        "families": len({row.family for row in rows}),
        "with_previous": sum(bool(row.turn.previous) for row in rows),
        "with_reply": sum(bool(row.turn.reply) for row in rows),
        "languages": dict(Counter(row.lang for row in rows)),
        "splits": {name: sum(part_of(row.family) == name for row in rows) for name in ("train", *SHARES)},
        "classes": {name: dict(counter) for name, counter in by_class.items()},
    }


def _reason(row: Row, labels: LabelSet, ids: dict[str, str], turns: dict[str, str]) -> str:
    if not row.id:
        return "no id"
    if row.id in ids:
        return f"id {row.id!r} stands at {ids[row.id]} already"
    if row.lang not in LANGUAGES:
        return f"lang {row.lang!r} is none of {', '.join(LANGUAGES)}"
    if "/" not in row.family:
        return "no family of the form topic/name"
    if missing := [head.name for head in labels.heads if head.name not in row.targets]:
        return f"no label for head {missing[0]!r}"
    if (turn := plain_turn(row.turn)) in turns:
        return f"the same turn stands at {turns[turn]}"
    return ""
