"""Turns as JSON Lines in, decisions out, in order, one for every line."""

import json
from collections.abc import Iterable, Iterator

from tinyclf.capture import Capture
from tinyclf.classifier import Classifier
from tinyclf.decision import Decision
from tinyclf.errors import InputError
from tinyclf.turn import SEGMENTS


def decide_lines(
    classifier: Classifier, lines: Iterable[bytes], capture: Capture | None = None
) -> Iterator[Decision | str]:
    """A decision for every line, or the reason why there is none; reasons name the line, never its text."""
    for number, line in enumerate(lines, 1):
        try:
            turn = json.loads(line)
        except (ValueError, RecursionError):
            yield f"line {number}: not JSON"
            continue
        if not isinstance(turn, dict) or "utterance" not in turn:
            yield f"line {number}: not an object with an 'utterance'"
            continue
        said = {name: turn[name] for name in SEGMENTS if turn.get(name) is not None or name == "utterance"}
        try:
            decision = classifier(**said)
        except InputError as error:
            yield f"line {number}: {error}"
            continue
        if capture:
            capture(decision, **said)
        yield decision
