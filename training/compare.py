"""Two bundles on the same gold rows: what each has right, and whether the difference is more than chance."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from tinyclf import Classifier, LabelSet
from tinyclf.decision import Decision
from tinyclf.errors import DataError
from tinyclf.files import sha256
from tinyclf.labelset import as_tuple
from tinyclf.slices import slices_of
from training.evaluate import LEAST_SLICE, Metrics, judge
from training.paired import Answered, paired, paired_tests, verdict_of
from training.rows import Row


def compare(old: Classifier, new: Classifier, rows: Sequence[Row]) -> tuple[dict[str, Any], list[Answered]]:
    """The comparison as JSON, which quotes no utterance, and the rows that regressed.

    Both bundles answer as users run them; rows without gold are left out. Raises ``DataError`` when no row has gold or
    the bundles do not answer the same questions.
    """
    labels = same_questions(old.labels, new.labels)
    rows = [replace(row, teacher={}) for row in rows if row.gold]
    if not rows:
        raise DataError("no row has a gold label, and by gold alone bundles are compared; give other --data")
    said = [bundle.batch([row.turn for row in rows]) for bundle in (old, new)]
    answered = [Answered(row, row.labels(labels), a.labels, b.labels) for row, a, b in zip(rows, *said, strict=True)]
    tests = paired_tests(labels, answered)
    verdict, reasons = verdict_of(tests)
    regressed = [a for a in answered if a.regressed]
    content = [[asdict(row.turn), row.gold] for row in rows]
    found = {
        "verdict": verdict,
        "reasons": reasons,
        "point": new.point.name,
        "rows": len(rows),
        "rows_sha256": sha256(json.dumps(content, ensure_ascii=True, default=dict).encode()),
        "tests": tests,
        "slices": _slices(answered),
        "old": _side(old, labels, rows, said[0]),
        "new": _side(new, labels, rows, said[1]),
        "regressions": [
            {"place": a.row.place, "id": a.row.id, "gold": a.gold, "old": a.old, "new": a.new} for a in regressed
        ],
    }
    return found, regressed


def same_questions(old: LabelSet, new: LabelSet) -> LabelSet:
    """The new label set; ``DataError`` when its heads, classes, pairs or guards are not those of the old one.

    Definitions, rules and examples may differ: they change what is learnt, not what is asked.
    """
    for what, one, other in (
        ("heads or classes", _heads(old), _heads(new)),
        ("incompatible pairs", old.incompatible, new.incompatible),
        ("guards", old.guards, new.guards),
    ):
        if one != other:
            raise DataError(
                f"label sets {old.name!r} and {new.name!r} differ in their {what}, so the bundles cannot be compared; "
                "train one of them again with the label set of the other"
            )
    return new


def _heads(labels: LabelSet) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(head.name, head.kind, head.names) for head in labels.heads]


def _slices(answered: Sequence[Answered]) -> dict[str, dict[str, Any]]:
    """The paired test of every slice; ``worse`` marks those that are large enough to be named and lost more."""
    found = {}
    for name, places in slices_of((a.row.turn, a.row.lang, a.row.topic) for a in answered).items():
        test = paired([answered[i] for i in places])
        found[name] = {**test, "worse": test["lost"] > test["won"] and test["n"] >= LEAST_SLICE}
    return found


def _side(bundle: Classifier, labels: LabelSet, rows: Sequence[Row], said: Sequence[Decision]) -> dict[str, Any]:
    """Which bundle it is, and all its figures."""
    manifest = bundle.bundle.manifest
    return {
        "path": str(bundle.bundle.path),
        "name": manifest["name"],
        "manifest_sha256": manifest["sha256"],
        "metrics": _metrics(labels, rows, said),
    }


def _metrics(labels: LabelSet, rows: Sequence[Row], said: Sequence[Decision]) -> Metrics:
    """The figures of the decisions as they were given; one that is the default has no probabilities."""
    given = {
        head.name: np.array(
            [list(d.probabilities[head.name].values()) if d.rows else [0.0] * len(head.names) for d in said]
        )
        for head in labels.heads
    }
    chosen = [[tuple(map(head.names.index, as_tuple(d[head.name]))) for head in labels.heads] for d in said]
    return judge(labels, rows, given, chosen)
