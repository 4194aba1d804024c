"""The page on the corpus: counts, agreement, likeness, and what the topic alone tells."""

from collections.abc import Mapping
from typing import Any

from benchmarks.near import ALIKE
from tinyclf import LabelSet
from tinyclf.tables import markdown
from training.corpus import LANGUAGES

TWICE_WORDS = """\
Rows whose two labels differ were left out of the sets, or follow the ruling that the label set has on them; here they \
count. Writers and annotators are of the same making and share the rules: the agreement says that the rules are clear \
to them, not that other people would agree as much. Annotators saw the turn alone; for the field and distress sets and \
2,600 rows of the corpus they also saw ids that name the set and the topic.
"""
NEAR_WORDS = """\
The cosine of each turn and its nearest neighbour, by letter 3- to 5-grams of the whole turn without diacritics. \
Families, which hold the contrasts that share most words, never part, so that likeness within the corpus is not \
likeness between its splits.
"""
TRIAGE_WORDS = """\
Labels that a linear model, which saw neither the row nor its family, finds hard to believe (cleanlab); \
`python -m training triage` names them. The least believed were labelled a third time, blind; a row stayed where the \
third label was the first.
"""


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
    near = [
        [name, f["n"], f"{f['median']:.2f}", *(f"{f[f'{alike:g}']:.1%}" for alike in ALIKE)]
        for name, f in found["nearness"]["nearest"].items()
    ]
    rows = found["counts"]["corpus"]["rows"]
    doubted = [
        [head, t["doubted"], f"{t['doubted'] / rows:.1%}", t["third"], t["kept"]] for head, t in found["triage"].items()
    ]
    alone = [[head, f"{s['topic']:.3f}", f"{s['most frequent']:.3f}"] for head, s in found["topic alone"].items()]
    names = labels.heads[0].names
    table = [[topic, *(row.get(name, 0) for name in names)] for topic, row in found["topics"].items()]
    return "\n".join(
        [
            "# Corpus\n",
            markdown(["set", "rows", "topics", "families", *LANGUAGES, "with previous", "with reply"], sizes),
            f"{found['nearness']['distinct']} turns of the corpus are distinct when turns that are {ALIKE[0]} alike, "
            "or linked by such, count once.\n",
            "Drills are made from facts (`python -m training corpus drills`) and differ in a slot: they do not count "
            f"as turns. The word lists hold {found['lexicon']['entries']} words and phrases in "
            f"{found['lexicon']['classes']} classes.\n",
            "## Labelled twice, blind\n",
            TWICE_WORDS,
            markdown(["set", "head and language", "n", "same", "Cohen's kappa"], agreed),
            "## How alike turns are\n",
            NEAR_WORDS,
            markdown(["turns", "n", "median", *(f"{alike} or more" for alike in ALIKE)], near),
            "## Doubtful labels\n",
            TRIAGE_WORDS,
            markdown(["head", "doubted now", "share", "labelled a third time", "stayed"], doubted),
            "## What the topic alone tells\n",
            "Accuracy on the test split of a logistic regression that sees the topic and nothing else.\n",
            markdown(["head", "topic alone", "most frequent class"], alone),
            "## Topics and classes\n",
            markdown(["topic", *names], table),
        ]
    )


def _share(count: int, counted: Mapping[str, Any]) -> str:
    return f"{count / counted['rows']:.0%}"
