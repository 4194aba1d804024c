"""What the commands share: what they say, and how they read the options that name a teacher."""

import json
import os
from pathlib import Path
from typing import Any

import typer

from tinyclf import LabelSet, default_labels, read_labels
from tinyclf.errors import DataError
from tinyclf.llm import BACKENDS, Findings
from tinyclf.llm.labeller import Style
from tinyclf.terminal import say


def label_set(path: Path | None) -> LabelSet:
    """The label set of a file, or the default one."""
    return read_labels(path) if path else default_labels()


def style_for(backend: str, style: Style | None) -> Style:
    """The style that was asked for, or else letters where the backend gives log-probabilities."""
    if backend not in BACKENDS:
        raise DataError(f"no backend {backend!r}; there are {', '.join(BACKENDS)}")
    return style or ("letter" if BACKENDS[backend].top else "json")


def body_from(text: str) -> dict[str, Any]:
    """Further request fields from JSON; ``DataError`` when it is no JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError('--body: not a JSON object such as {"reasoning_effort": "low"}')
    return found


def describe(findings: Findings) -> None:
    """Say what was found of a server, warnings last."""
    letters = f"log-probabilities {findings.log_probabilities}, letters have {findings.mass or 0:.1%} of them"
    held = f"answers {'are held' if findings.constrained else 'can NOT be held'} to the labels"
    what = letters if findings.style == "letter" else held
    say(f"{findings.server}, model {findings.model}, style {findings.style}: {what}")
    say(f"{findings.prompt_tokens} tokens a prompt")
    for warning in findings.warnings:
        say(f"warning: {warning}")


def refuse_unconstrained(findings: Findings) -> None:
    """Stop when JSON answers cannot be held to the labels."""
    if findings.constrained is False:
        say("this server cannot be held to the labels: take another; `label` goes on by --unconstrained")
        raise typer.Exit(1)


def key_from(variable: str | None) -> str | None:
    """The key in an environment variable; ``DataError`` when it was named and is not set."""
    if variable is None:
        return None
    if not (key := os.environ.get(variable)):
        raise DataError(f"the variable {variable} is not set; put the API key into it")
    return key
