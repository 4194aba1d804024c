"""The soak as verdicts, a page and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from scipy.stats import linregress

from benchmarks.machine import in_words
from benchmarks.stress_report import ms
from tinyclf.tables import markdown

mpl.use("agg")
SETTLED, COMPARED, LAST = 0.2, 0.3, 0.9
"""Shares of the run: memory may grow until the first; from there to the second it is compared with after the last."""
FLAT, DRIFT, CHANCE = 0.05, 0.10, 0.05
COLOURS = {"healthy": "#009E73", "slow": "#E69F00", "dead": "#56B4E9", "black hole": "#CC79A7"}


def judge(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether memory stayed flat and no phase became slower, with the figures that say so."""
    at, megabytes, files = np.array(found["samples"], dtype=np.float64).T
    share = at / (found["minutes"] * 60)
    settled, last = share >= SETTLED, share >= LAST
    early = settled & (share < COMPARED)
    trend = linregress(at[settled] / 3600, megabytes[settled])
    growth = float(megabytes[last].mean() / megabytes[early].mean() - 1)
    phases = {phase: _drift(found, phase) for phase in dict.fromkeys(w["phase"] for w in found["windows"])}
    slower = [phase for phase, drift in phases.items() if drift["slower"]]
    lost = sum(count for window in found["windows"] for count in window["errors"].values())
    return {
        "memory": {
            "early MB": round(float(megabytes[early].mean()), 2), "last MB": round(float(megabytes[last].mean()), 2),
            "growth": round(growth, 4),
            "MB per hour": round(float(trend.slope), 2), "standard error": round(float(trend.stderr), 2),
            "files early": float(files[early].mean()), "files last": float(files[last].mean()),
        },
        "drift": phases,
        "lost": lost,
        "verdicts": [
            ["memory flat: the last tenth within 5 % of the third tenth", f"{growth:+.1%}", _verdict(growth <= FLAT)],
            ["no phase slower at the end: P99", ", ".join(slower) or "none is", _verdict(not slower)],
            ["no request lost", str(lost), _verdict(not lost)],
        ],
    }  # fmt: skip


def _drift(found: Mapping[str, Any], phase: str) -> dict[str, Any]:
    """How much P99 changes over the run by the trend of a phase's windows, as a share of their mean.

    Slower: by more than a tenth, and not by chance (p < 0.05). Two windows make no trend.
    """
    windows = [window for window in found["windows"] if window["phase"] == phase]
    if len(windows) < 3:
        return {"change": None, "standard error": None, "p": None, "windows": len(windows), "slower": False}
    worst = [window["p99"] for window in windows]
    trend, scale = linregress([w["from"] for w in windows], worst), found["minutes"] * 60 / float(np.mean(worst))
    change, p = float(trend.slope * scale), float(trend.pvalue)
    return {
        "change": round(change, 3), "standard error": round(float(trend.stderr * scale), 3), "p": round(p, 3),
        "windows": len(windows), "slower": change > DRIFT and p < CHANCE,
    }  # fmt: skip


def _verdict(holds: bool) -> str:
    return "holds" if holds else "missed"


def text(found: Mapping[str, Any]) -> str:
    """The page."""
    memory, turns = found["memory"], found["turns"]
    windows = [
        [f"{w['from']:g} s", w["phase"], f"{w['n']:,}", sum(w["errors"].values()),
         *(ms(w[key]) for key in ("p50", "p99", "p99.9", "max")),
         f"{w['sources'].get('teacher', 0) / max(w['n'], 1):.1%}", f"{w['degraded']:.1%}"]
        for w in found["windows"]
    ]  # fmt: skip
    drift = [
        [phase, d["windows"], *(["", ""] if d["p"] is None else _changed(d))] for phase, d in found["drift"].items()
    ]
    header = ["from", "the LLM is", "n", "errors", "p50", "p99", "p99.9", "max", "by the teacher", "degraded"]
    return "\n".join(
        [
            f"# Soak\n\n{in_words(found['machine'])}",
            f"{found['minutes']:g} minutes of {found['rate']} requests/s in an open loop on one cascade, generator and "
            f"stub LLM on the same cores; latency in milliseconds from the intended send time. The LLM changes every "
            f"{found['phase_s']:g} s, on one port, each time as a new process. The student is unsure of "
            f"{turns['unsure']:.1%} of the turns. A phase begins with what the one before has left: a breaker that has "
            "to open, or to find out that the LLM is back.\n",
            markdown(["promise", "found", "verdict"], found["verdicts"]),
            f"Memory of the server: {memory['early MB']:.1f} MB from {SETTLED:.0%} to {COMPARED:.0%} of the run, "
            f"{memory['last MB']:.1f} MB in the last {1 - LAST:.0%}; trend after the first {SETTLED:.0%}: "
            f"{memory['MB per hour']:+.1f} ± {memory['standard error']:.1f} MB an hour (standard error). Open files "
            f"beside its clients' connections: {memory['files early']:.0f} and {memory['files last']:.0f}.\n",
            "![memory and P99](soak.png)\n",
            "Change of P99 over the run, by the trend of each phase's windows, ± standard error:\n",
            markdown(["the LLM is", "windows", "change", "p"], drift),
            markdown(header, windows),
        ]
    )


def _changed(drift: Mapping[str, Any]) -> list[str]:
    return [f"{drift['change']:+.0%} ± {drift['standard error']:.0%}", f"{drift['p']:.2f}"]


def plot(found: Mapping[str, Any], path: Path) -> None:
    """Memory above, P99 of each phase below, over the same minutes."""
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 6), sharex=True)
    at, megabytes, _ = zip(*found["samples"], strict=True)
    above.plot([second / 60 for second in at], megabytes, color="black")
    above.set(ylabel="resident MB", ylim=(0, max(megabytes) * 1.15), title="memory of the server")
    length = found["phase_s"] / 60
    for window in found["windows"]:
        begin, colour = window["from"] / 60, COLOURS[window["phase"]]
        above.axvspan(begin, begin + length, color=colour, alpha=0.12, linewidth=0)
        below.axvspan(begin, begin + length, color=colour, alpha=0.12, linewidth=0)
        below.hlines(window["p99"], begin, begin + length, color=colour, linewidth=3)
        if begin < length * len(COLOURS):
            below.text(begin + length / 2, window["p99"] * 1.15, window["phase"], ha="center", fontsize=8)
    below.set(yscale="log", xlabel="minutes", ylabel="milliseconds", title="P99, by what the LLM does")
    below.margins(x=0, y=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=120, metadata={"Software": None})
