"""What the corpus holds and how far its labels and topics can be trusted: ``python -m benchmarks.corpus``."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.results import write_results
from tinyclf import LabelSet, default_labels
from tinyclf.tables import markdown
from training.corpus import DATA, DISTRESS, FIELD, LANGUAGES, counts, read_corpus
from training.metrics import kappa
from training.rows import Row
from training.split import split_rows

TWICE = DATA / "twice"


def main() -> None:
    """Count, compare first and second labels, and see what the topic alone tells; write results/corpus.{json,md}."""
    labels = default_labels()
    sets = {name: read_corpus(labels, folder).good for name, folder in FOLDERS.items()}
    found: dict[str, Any] = {
        "counts": {name: counts(rows, labels) for name, rows in sets.items()},
        "agreement": {name: agreement(TWICE / f"{name}.jsonl", labels) for name in sets},
        "topic alone": topic_alone(labels, sets["corpus"]),
        "topics": topics(labels, sets["corpus"]),
    }
    write_results("corpus", found, text(labels, found))


FOLDERS: Mapping[str, Path] = {"corpus": DATA / "corpus", "field": FIELD, "distress": DISTRESS}


def agreement(file: Path, labels: LabelSet) -> dict[str, Any]:
    """Share of equal labels and Cohen's kappa of two annotators, by head and language."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found: dict[str, Any] = {}
    for lang in ("all", *LANGUAGES):
        here = [row for row in rows if lang in ("all", row["lang"])]
        for head in labels.heads:
            one, two = ([row[who][head.name] for row in here] for who in ("first", "second"))
            same = sum(a == b for a, b in zip(one, two, strict=True)) / max(len(here), 1)
            found[f"{head.name}, {lang}"] = {"n": len(here), "same": same, "kappa": kappa(one, two)}
    return found


def topic_alone(labels: LabelSet, rows: Sequence[Row]) -> dict[str, Any]:
    """Accuracy on the test split of guessing by the topic, beside always guessing the most frequent class."""
    splits = split_rows(rows)
    found = {}
    for head in labels.heads:
        scores = {}
        for name, model in (
            ("topic", make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=1000))),
            ("most frequent", DummyClassifier()),
        ):
            learn, judge = (
                ([[row.topic] for row in part], [str(row.labels(labels)[head.name]) for row in part])
                for part in (splits.train, splits.test)
            )
            scores[name] = float(model.fit(*learn).score(*judge))
        found[head.name] = scores
    return found


def topics(labels: LabelSet, rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """How often each class of the first head occurs in each topic."""
    head = labels.heads[0].name
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.topic, Counter())[str(row.labels(labels)[head])] += 1
    return {topic: dict(counter) for topic, counter in sorted(found.items())}


def text(labels: LabelSet, found: Mapping[str, Any]) -> str:
    """The page to read."""
    sizes = [
        [name, c["rows"], c["topics"], c["families"], *(_share(c["languages"].get(lang, 0), c) for lang in LANGUAGES),
         _share(c["with_previous"], c), _share(c["with_reply"], c)]
        for name, c in found["counts"].items()
    ]  # fmt: skip
    agreed = [
        [name, pair, f["n"], f"{f['same']:.3f}", "" if f["kappa"] is None else f"{f['kappa']:.3f}"]
        for name, pairs in found["agreement"].items()
        for pair, f in pairs.items()
    ]
    alone = [[head, f"{s['topic']:.3f}", f"{s['most frequent']:.3f}"] for head, s in found["topic alone"].items()]
    names = labels.heads[0].names
    table = [[topic, *(row.get(name, 0) for name in names)] for topic, row in found["topics"].items()]
    return "\n".join(
        [
            "# Corpus\n",
            markdown(["set", "rows", "topics", "families", *LANGUAGES, "with previous", "with reply"], sizes),
            "## Labelled twice, blind\n",
            "Rows whose two labels differ were left out of the sets, but count here. The older 8,210 rows of the "
            "corpus are labelled once. Writers and annotators are of the same making and share the rules: the "
            "agreement says that the rules are clear to them, not that other people would agree as much. Annotators "
            "saw ids that name the set and the topic, so for the distress set the second label is not independent.\n",
            markdown(["set", "head and language", "n", "same", "Cohen's kappa"], agreed),
            "## What the topic alone tells\n",
            "Accuracy on the test split of a logistic regression that sees the topic and nothing else.\n",
            markdown(["head", "topic alone", "most frequent class"], alone),
            "## Topics and classes\n",
            markdown(["topic", *names], table),
        ]
    )


def _share(count: int, counted: Mapping[str, Any]) -> str:
    return f"{count / counted['rows']:.0%}"


if __name__ == "__main__":
    main()
