"""What the default bundle shall reach on the field set, and how far it is from it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.results import RESULTS
from tinyclf import LabelSet
from tinyclf.tables import markdown
from training.corpus import LANGUAGES

Found = Mapping[str, Any]
OURS = "tinyclf"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its bar: at least the bar where ``rising``, otherwise at most."""

    name: str
    bar: float
    rising: bool
    of: Callable[[LabelSet, Found], float]
    percent: bool = False

    def line(self, labels: LabelSet, found: Found) -> list[str]:
        """The target's row: bar, figure, and how far it is missed by."""
        value = self.of(labels, found)
        short = max(self.bar - value if self.rising else value - self.bar, 0.0)
        sign = "≥" if self.rising else "≤"
        missed = f"missed by {self._said(short)}" if short > 0 else "held"
        return [self.name, f"{sign} {self._said(self.bar)}", self._said(value), missed]

    def _said(self, value: float) -> str:
        return f"{value:.1%}" if self.percent else f"{value:.3f}"


def targets_table(labels: LabelSet, found: Found) -> str:
    """All targets; means over seeds, the student as it answers at the operating point named."""
    return markdown(["target, field set", "bar", "figure", ""], [target.line(labels, found) for target in TARGETS])


def _head(figure: str) -> Callable[[LabelSet, Found], float]:
    return lambda labels, found: float(_ours(found)["heads"][labels.heads[0].name][figure]["mean"])


def _ours(found: Found, name: str = "field") -> Found:
    return found["ungated"][name][OURS]  # type: ignore[no-any-return]


def _surest(labels: LabelSet, found: Found) -> float:
    return float(_ours(found)["heads"][labels.heads[0].name]["coverage"]["0.8"]["mean"])


def _noise(labels: LabelSet, found: Found) -> float:
    clean, noisy = (
        _ours(found, name)["heads"][labels.heads[0].name]["accuracy"]["mean"] for name in ("field", "noisy field")
    )
    return float(clean - noisy)


def _languages(labels: LabelSet, found: Found) -> float:
    slices = _ours(found)["slices"]
    means = [slices[f"lang={lang}"]["heads"][labels.heads[0].name]["accuracy"]["mean"] for lang in LANGUAGES]
    return float(max(means) - min(means))


def _f1(labels: LabelSet, found: Found) -> float:
    return float(_ours(found)["guards"][labels.guards[0].name]["f1"]["mean"])


def _distress(point: str, figure: str, part: str) -> Callable[[LabelSet, Found], float]:
    return lambda labels, found: float(
        found["operating points"][part][point]["guards"][labels.guards[0].name][figure]["mean"]
    )


def _latency(labels: LabelSet, found: Found) -> float:
    return float(json.loads((RESULTS / "latency.json").read_text(encoding="utf-8"))["ratio to the floor at P50"])


TARGETS = (
    Target("accuracy of the first head", 0.88, True, _head("accuracy")),
    Target("macro-F1 of the first head", 0.86, True, _head("macro_f1")),
    Target("F1 of the guarded class", 0.95, True, _f1),
    Target("guarded mistake, `careful`", 0.005, False, _distress("careful", "rate", "field"), percent=True),
    Target("guarded mistake, `careful`, distress set", 0.005, False, _distress("careful", "rate", "distress"), True),
    Target("guarded mistake, `balanced`, distress set", 0.005, False, _distress("balanced", "rate", "distress"), True),
    Target("expected calibration error", 0.04, False, _head("ece")),
    Target("accuracy on the surest 80 %", 0.95, True, _surest),
    Target("points that recogniser noise costs", 0.04, False, _noise, percent=True),
    Target("best language ahead of the worst", 0.04, False, _languages, percent=True),
    Target("wrong with confidence of 0.9 or more", 0.02, False, _head("wrong_above_0.9"), percent=True),
    Target("one decision, P50 in stack floors (results/latency.md)", 3.0, False, _latency),
)
