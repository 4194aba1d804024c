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

from benchmarks.corpus_report import text
from benchmarks.near import Nearness, shares
from benchmarks.results import write_results
from tinyclf import LabelSet, default_labels
from training.corpus import CORPUS, DATA, DISTRESS, DRILLS, FIELD, LANGUAGES, QUIZ, counts, read_corpus
from training.lexicon import read_lexicon
from training.metrics import kappa
from training.rows import Row
from training.split import split_rows
from training.triage import doubts

TWICE = DATA / "twice"


def main() -> None:
    """Count, compare first and second labels, and see what the topic alone tells; write results/corpus.{json,md}."""
    labels = default_labels()
    sets = {name: read_corpus(labels, folder).good for name, folder in FOLDERS.items()}
    drills, words = read_corpus(labels, DRILLS).good, read_lexicon()
    found: dict[str, Any] = {
        "counts": {name: counts(rows, labels) for name, rows in {**sets, "drills": drills}.items()},
        "lexicon": {"classes": len(words.classes), "entries": len(words.entries)},
        "agreement": {name: agreement(TWICE / f"{name}.jsonl", labels) for name in sets},
        "nearness": nearness(sets),
        "triage": triage(labels, sets["corpus"]),
        "topic alone": topic_alone(labels, sets["corpus"]),
        "topics": topics(labels, sets["corpus"]),
    }
    write_results("corpus", found, text(labels, found))


FOLDERS: Mapping[str, Path] = {"corpus": CORPUS, "field": FIELD, "distress": DISTRESS, "quiz": QUIZ}


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


def nearness(sets: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """How alike turns are within the corpus, between its splits, and between it and the sets for testing."""
    corpus = sets["corpus"]
    parts = split_rows(corpus).parts()
    others = {name: rows for name, rows in sets.items() if name != "corpus"}
    measure = Nearness([row for rows in sets.values() for row in rows])
    compared = {"corpus to its own": (corpus, corpus)}
    compared |= {f"{name} to train": (parts[name], parts["train"]) for name in ("dev", "calibration", "test")}
    compared |= {f"{name} to corpus": (rows, corpus) for name, rows in others.items()}
    return {
        "distinct": measure.distinct(corpus),
        "nearest": {name: shares(measure.nearest(rows, known)) for name, (rows, known) in compared.items()},
    }


def triage(labels: LabelSet, rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Per head: labels that a model that never saw them doubts, labels given a third time, and those that stayed."""
    doubted = Counter(doubt.head for doubt in doubts(labels, rows))
    thirds = [json.loads(line) for line in (TWICE / "triage.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        head.name: {
            "doubted": doubted[head.name],
            "third": len(thirds),
            "kept": sum(third["first"][head.name] == third["third"][head.name] for third in thirds),
        }
        for head in labels.heads
    }


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


if __name__ == "__main__":
    main()
