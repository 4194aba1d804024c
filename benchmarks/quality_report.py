"""The page on quality: systems side by side, what goes wrong, on which turns, and how far from the targets."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.machine import in_words
from benchmarks.quality_targets import OURS, targets_table
from benchmarks.quiz import quiz_table
from tinyclf import LabelSet
from tinyclf.tables import markdown
from training.evaluate import SHARES

mpl.use("agg")
TRIED = """The slices below show where it fails: turns in distress with cheerful words inside, English beside mixed \
turns, turns with `previous`. Tried against that, and judged on the calibration split: more turns of these kinds in \
the corpus, and word lists (both help, each its own kind); a limit on how probable distress may be where the robot \
celebrates (helps most, and is part of the operating points); other sizes and settings (`results/frontier.md`); marks \
on words that the robot has just said, triples of words, words of the question paired with words of the answer, a \
hidden layer, turns joined from two (no better); recurrent networks (better only where far beyond the latency budget), \
their soft labels for the student to learn (worse than the corpus's own), and attention (no better).
"""
QUIZ_WORDS = """110 questions that need knowledge of the world, each answered rightly and wrongly in the same \
words, without the robot's reply and with it; written for this test alone. A turn is sure when every head reaches the \
operating point's threshold; an unsure one is the teacher's where there is one.
"""


def text(labels: LabelSet, found: dict[str, Any], with_minilm: bool) -> str:
    """The page to read."""
    rows, seeds = found["rows"], found["seeds"]
    parts = [
        f"# Quality\n\n{in_words(found['machine'])}",
        f"Mean of {seeds} seeds ± standard deviation; TF-IDF with logistic regression does not depend on it. The "
        "bound on a guarded mistake is the 95 % Clopper-Pearson bound of the worst seed. Trained on "
        f"{rows['train'] + rows['dev']} rows of the corpus. "
        f"The **field set** ({rows['field']} turns) was written from scratch by another hand; nothing is trained, "
        "tuned or calibrated on it. (One idea, decoding by the rules first, was looked for after a weak figure on it, "
        f"then judged on the calibration split.) The **test split** ({rows['test']} turns) has families that training "
        "never saw. All systems are decoded by the same label set, without thresholds.\n",
    ]
    if not with_minilm:
        parts.append(
            "all-MiniLM-L6-v2 was not run: its weights were not at hand. "
            "`python -m benchmarks.quality --minilm FOLDER` adds it.\n"
        )
    parts += ["## Targets\n", targets_table(labels, found), TRIED]
    for name, title in (("field", "Field set"), ("test", "Test split")):
        parts += [f"## {title}\n", _systems(labels, found["ungated"][name])]
        parts += ["Operating points of the student:\n", _systems(labels, found["operating points"][name])]
    parts += ["## Distress set\n", _distress(labels, found)]
    parts += ["## Quiz answers\n", QUIZ_WORDS, quiz_table(found["quiz"])]
    parts += ["## Recogniser noise\n", _noise(labels, found["ungated"])]
    parts += ["## Where the student is behind, field set\n", _behind(labels, found["ungated"]["field"])]
    best_peer = max(
        (system for system in found["ungated"]["field"] if system != OURS),
        key=lambda system: found["ungated"]["field"][system]["exact"]["mean"],
    )
    parts += [f"## Slices of the field set\n\nAll heads right, student and its best peer ({best_peer}).\n"]
    parts.append(_slices(found["ungated"]["field"], best_peer))
    parts += ["## Sure answers first\n", _coverage(labels, found["ungated"]["field"]), "![coverage](quality.png)\n"]
    return "\n".join(parts)


def _systems(labels: LabelSet, systems: Mapping[str, Any]) -> str:
    header = ["system", "all right"]
    for head in labels.heads:
        header += [f"{head.name} accuracy", "macro-F1", "ECE", "wrong above 0.9"]
    for guard in labels.guards:
        header += [f"{guard.never[1]}: precision", "recall", "F1", guard.name]
    table = []
    for system, metrics in systems.items():
        row = [system, _cell(metrics["exact"])]
        for head in labels.heads:
            figures = metrics["heads"][head.name]
            row += [_cell(figures[key]) for key in ("accuracy", "macro_f1", "ece", "wrong_above_0.9")]
        for guard in labels.guards:
            figures = metrics["guards"][guard.name]
            row += [_cell(figures[key]) for key in ("precision", "recall", "f1")]
            row.append(_mistakes(figures))
        table.append(row)
    return markdown(header, table)


def _distress(labels: LabelSet, found: Mapping[str, Any]) -> str:
    """How often each guarded mistake happens where all turns are in distress, with and without cheerful words."""
    sets = {"as said": "distress", "with recogniser noise": "noisy distress"}
    table = []
    for words, name in sets.items():
        systems = {**found["ungated"][name], **{f"{OURS}, {p}": m for p, m in found["operating points"][name].items()}}
        for system, metrics in systems.items():
            for guard in labels.guards:
                parts = [metrics, *(metrics["slices"][f"topic={topic}"] for topic in ("cheerful", "plain"))]
                cells = [_mistakes(part["guards"][guard.name]) for part in parts]
                table.append([words, system, *cells, _cell(metrics["heads"][guard.when[0][0]]["accuracy"])])
    head = labels.guards[0].when[0][0] if labels.guards else ""
    return (
        f"{found['rows']['distress']} turns of children who are hurt, sad, scared or angry, half of them with cheerful "
        "words inside; written for this test alone.\n\n"
        + markdown(["turns", "system", "celebrated", "cheerful words inside", "none inside", f"{head} right"], table)
    )


def _mistakes(figures: Mapping[str, Any]) -> str:
    mistakes, turns = figures["mistakes"], figures["turns"]["mean"]
    bound = figures["upper_bound"]["largest"]
    return f"{mistakes['mean']:.1f} of {turns:.0f}, worst seed {mistakes['largest']:.0f} (≤ {bound:.1%})"


def _noise(labels: LabelSet, ungated: Mapping[str, Any]) -> str:
    """What one slip of a recogniser in every turn costs."""
    head = labels.heads[0].name
    table = []
    for system, clean in ungated["field"].items():
        noise = ungated["noisy field"][system]
        figures = [m["heads"][head]["accuracy"]["mean"] for m in (clean, noise)]
        table.append([system, *(f"{figure:.3f}" for figure in figures), f"{100 * (figures[0] - figures[1]):.1f}"])
    return (
        "Every turn of the field set with one kind of noise, in rotation: no diacritics, two words run together, a "
        "filler, two letters swapped.\n\n"
        + markdown(["system", f"{head} accuracy", "with noise", "points lost"], table)
    )


def _behind(labels: LabelSet, systems: Mapping[str, Any]) -> str:
    """Every headline figure in which some peer has the better mean, by how much, and how many spreads that is."""
    paths: list[tuple[str, tuple[str, ...]]] = [("all right", ("exact",))]
    for head in labels.heads:
        paths += [(f"{head.name} {key}", ("heads", head.name, key)) for key in ("accuracy", "macro_f1")]
    for guard in labels.guards:
        paths += [(f"{guard.never[1]}: {key}", ("guards", guard.name, key)) for key in ("precision", "recall", "f1")]
    rows = []
    for name, path in paths:
        figures = {system: reduce(getitem, path, metrics) for system, metrics in systems.items()}
        ours = figures.pop(OURS)
        for peer, theirs in figures.items():
            if (gap := theirs["mean"] - ours["mean"]) > 0:
                rows.append([name, peer, f"{gap:.3f}", f"{gap / max(ours['sd'], 1e-9):.1f}"])
    return markdown(["figure", "peer ahead", "by", "in spreads of the student"], rows) if rows else "Nowhere.\n"


def _slices(systems: Mapping[str, Any], peer: str) -> str:
    ours, theirs = systems[OURS]["slices"], systems[peer]["slices"]
    names = [name for name in ours if not name.startswith("topic=")]
    worst = min(names, key=lambda name: float(ours[name]["exact"]["mean"]))
    rows = [
        [name, f"{ours[name]['n']['mean']:.0f}", _cell(ours[name]["exact"]), _cell(theirs[name]["exact"])]
        for name in names
    ]
    return markdown(["slice", "n", OURS, peer], rows) + f"\nThe student's worst slice: {worst}.\n"


def _coverage(labels: LabelSet, systems: Mapping[str, Any]) -> str:
    head = labels.heads[0].name
    rows = [
        [system, *(_cell(metrics["heads"][head]["coverage"][f"{share:g}"]) for share in SHARES)]
        for system, metrics in systems.items()
    ]
    return f"Accuracy of {head} on the surest share of the field set:\n\n" + markdown(
        ["system", *map(str, SHARES)], rows
    )


def _cell(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.3f} ± {figure['sd']:.3f}"


def plot(labels: LabelSet, systems: Mapping[str, Any], path: Path) -> None:
    """Accuracy over the share of turns that are answered, surest first."""
    from matplotlib import pyplot as plt

    head = labels.heads[0].name
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for system, metrics in systems.items():
        curve = metrics["heads"][head]["coverage"]
        means, spreads = ([curve[f"{share:g}"][key] for share in SHARES] for key in ("mean", "sd"))
        axes.errorbar(SHARES, means, yerr=spreads, label=system, marker="o", capsize=3)
    axes.set(xlabel="share of the field set that is answered, surest first", ylabel=f"accuracy of {head}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})
