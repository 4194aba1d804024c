"""The distillation study as a page and a plot."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.machine import in_words
from tinyclf import LabelSet
from tinyclf.tables import markdown

mpl.use("agg")
SIZE = re.compile(r"(gold|soft), n = (\d+)")


def text(labels: LabelSet, found: Mapping[str, Any]) -> str:
    """The page: what was done, what the teacher knows, what the students learnt from it."""
    rows = found["rows"]
    head = labels.heads[0].name
    parts = [
        f"# Distillation\n\n{in_words(found['machine'])}",
        "**The teacher is no LLM.** Phi-3 and a GPU were not at hand for this study. In their place stands a local "
        "ensemble: three students and TF-IDF with logistic regression. It labels "
        f"the pool of {rows['pool']} corpus rows out of fold, so it never saw the family of a row that it labels; a "
        "real LLM errs otherwise, and how a student fares with one is to be measured with one.\n",
        "All students have the default size. Those of a teacher also stop early and calibrate on its labels, as a team "
        f"without gold must. They are judged by gold: the test split ({rows['test']} turns) and the field set "
        f"({rows['field']} turns). Mean of {found['seeds']} seeds ± standard deviation, without thresholds. The "
        "teacher is one and the same for all seeds. Where no T stands, soft labels are learnt at T = 2.\n",
        "## The teacher\n",
        markdown(
            ["set", *(f"{h.name} {key}" for h in labels.heads for key in ("accuracy", "macro-F1", "ECE"))],
            [
                [name, *(f"{heads[h.name][key]:.3f}" for h in labels.heads for key in ("accuracy", "macro_f1", "ece"))]
                for name, heads in found["teacher"].items()
            ],
        ),
        "## Hard or soft\n",
        _table(labels, found, [name for name in found["students"] if "noise" not in name and not SIZE.match(name)]),
        "## A noisy teacher\n\nSo many rows carry the labels of some other row: sure and wrong.\n",
        _table(labels, found, [name for name in found["students"] if "noise" in name]),
        f"## How many rows\n\n![{head} accuracy by number of rows](distillation.png)\n",
        _table(labels, found, [name for name in found["students"] if SIZE.match(name)]),
    ]
    return "\n".join(parts)


def plot(labels: LabelSet, found: Mapping[str, Any], path: Path) -> None:
    """Accuracy of the first head by number of rows, for gold and for the teacher's soft labels."""
    from matplotlib import pyplot as plt

    head, students = labels.heads[0].name, found["students"]
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for panel, name in zip(panels, ("test", "field"), strict=True):
        for kind, full in (("gold", "gold"), ("soft", "soft, T = 2")):
            sizes = {int(m[2]): arm for arm in students if (m := SIZE.match(arm)) and m[1] == kind}
            sizes[found["rows"]["pool"]] = full
            curve = [students[sizes[n]][name][f"{head} accuracy"] for n in sorted(sizes)]
            means, spreads = [f["mean"] for f in curve], [f["sd"] for f in curve]
            panel.errorbar(sorted(sizes), means, yerr=spreads, marker="o", capsize=3, label=f"student, {kind} labels")
        panel.axhline(found["teacher"][name][head]["accuracy"], linestyle="--", color="grey", label="teacher")
        panel.set(title=f"{name} ({found['rows'][name]} turns)", xlabel="labelled rows", xscale="log")
        panel.set_xticks(sorted(sizes), [str(n) for n in sorted(sizes)])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(f"{head} accuracy")
    panels[0].legend()
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


def _table(labels: LabelSet, found: Mapping[str, Any], arms: list[str]) -> str:
    columns = ["all right", *(f"{h.name} accuracy" for h in labels.heads), f"{labels.heads[0].name} ece"]
    columns += [f"{guard.name}: {key}" for guard in labels.guards for key in ("f1", "mistakes")]
    header = ["labels", *(f"{name}: {column}" for name in ("test", "field") for column in columns)]
    rows = []
    for arm in arms:
        figures = [found["students"][arm][name][column] for name in ("test", "field") for column in columns]
        rows.append([arm, *(f"{figure['mean']:.3f} ± {figure['sd']:.3f}" for figure in figures)])
    return markdown(header, rows)
