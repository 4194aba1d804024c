"""An audit as a page, and its confusion as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.audit import Figures
from tinyclf.files import whole_file
from tinyclf.tables import markdown

WEAK = 0.2
"""Cohen's kappa up to which agreement is called slight (Landis and Koch, Biometrics 33, 1977)."""
COLUMNS = ("n", "accuracy", "kappa", "macro-F1")
CALIBRATED = tuple(f"{name} {when}" for name in ("ece", "nll", "brier") for when in ("before", "after"))


def page(report: Mapping[str, Any], found: Figures, other: Figures | None) -> str:
    """The page: figures by prior, slices, the other teacher where there is one."""
    best = found["best"]
    parts = [
        f"# Audit of {report['teacher']}\n",
        f"{report['server']}, style {report['style']}, prompt `{report['prompt_sha256'][:16]}`; {found['rows']} "
        f"answered rows of `{report['input']}`. **Best prior: {best}**{_temperatures(found)}.\n",
        '"After" is with a temperature that was fitted on other families than those it is judged on.\n',
    ]
    weak = [q for q, f in found["priors"][best].items() if f["n"] and (f["kappa"] or 0.0) < WEAK]
    if weak:
        parts.append(
            f"**Hardly better than chance on {', '.join(weak)}: kappa below {WEAK}. Do not train on these.**\n"
        )
    for name, by_question in found["priors"].items():
        columns = [c for c in (*COLUMNS, *CALIBRATED) if any(c in figures for figures in by_question.values())]
        parts += [f"## Prior: {name}\n", _by_question(columns, by_question)]
    parts.append(f"## Slices, prior {best}\n")
    for name, by_question in found["slices"].items():
        parts += [f"{name}:\n", _by_question(("n", "accuracy", "kappa"), by_question)]
    if other:
        columns = ["agreement", "kappa", "accuracy", "other's accuracy"]
        parts += [f"## Beside {other['name']}\n", f"On {other['rows']} turns that both answered; without priors.\n"]
        parts.append(_by_question(columns, other["questions"]))
    parts.append(f"## Confusion, prior {best}\n\n![confusion](confusion.png)\n")
    parts.append("Rows to look at: `review.csv`. It holds what was said; keep it where such data may lie.\n")
    return "\n".join(parts)


def _by_question(columns: Sequence[str], figures: Mapping[str, Figures]) -> str:
    rows = [[question, *(_cell(found.get(column)) for column in columns)] for question, found in figures.items()]
    return markdown(["question", *columns], rows)


def plot_confusion(found: Figures, path: Path) -> None:
    """One matrix for each question with gold: rows are gold, columns the teacher, as shares of a row."""
    import matplotlib as mpl

    mpl.use("agg")
    import numpy as np
    from matplotlib import pyplot as plt

    shown = {q: f for q, f in found["priors"][found["best"]].items() if f["n"]}
    figure, panels = plt.subplots(1, len(shown), figsize=(5 * len(shown) + 1, 5), squeeze=False)
    for panel, (question, figures) in zip(panels[0], shown.items(), strict=True):
        counts = np.array(figures["confusion"])
        panel.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                panel.text(column, row, count, ha="center", va="center", fontsize=8)
        places = range(len(figures["options"]))
        panel.set_xticks(places, figures["options"], rotation=60, ha="right")
        panel.set_yticks(places, figures["options"])
        panel.set(title=question, xlabel="teacher", ylabel="gold")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _temperatures(found: Figures) -> str:
    said = ", ".join(f"{question} {value:.2f}" for question, value in found["temperatures"].items())
    return f", temperatures {said}" if said else "; no probabilities to calibrate"


def _cell(value: float | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"
