"""What an answer in JSON may look like, in each notation that servers take."""

import itertools
import json
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tinyclf.labelset import Head, LabelSet

MOST_LINES = 500
"""Up to so many possible answers are written out, which leaves the incompatible ones out too."""


def schema(heads: Sequence[Head]) -> dict[str, Any]:
    """The JSON schema of an answer, strict: every head, nothing else."""
    properties = {head.name: _property(head) for head in heads}
    body = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"name": "labels", "strict": True, "schema": body}


def pattern(labels: LabelSet, heads: Sequence[Head]) -> str:
    """A regular expression for an answer in one line without white space, so that none can run on and on."""
    return _line(labels, heads, re.escape)


def grammar(labels: LabelSet, heads: Sequence[Head]) -> str:
    """The same as a GBNF grammar, llama.cpp's form."""
    return "root ::= " + _line(labels, heads, _json)


def longest(heads: Sequence[Head]) -> int:
    """The characters of the longest answer."""
    return len(_json({h.name: list(h.names) if h.kind == "any-of" else max(h.names, key=len) for h in heads}))


def _property(head: Head) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "string", "enum": list(head.names)}
    return one if head.kind == "one-of" else {"type": "array", "items": one}


def _line(labels: LabelSet, heads: Sequence[Head], literal: Callable[[str], str]) -> str:
    """An answer in a notation with ``(|)``, ``*`` and ``?``; ``literal`` writes fixed text in it."""
    if all(head.kind == "one-of" for head in heads) and prod(len(head.names) for head in heads) <= MOST_LINES:
        answers = [
            dict(zip((head.name for head in heads), names, strict=True))
            for names in itertools.product(*(head.names for head in heads))
        ]
        return "|".join(literal(_json(answer)) for answer in answers if not labels.conflicts(answer))
    parts = [f"{literal(_json(head.name) + ':')}{_values(head, literal)}" for head in heads]
    return literal("{") + literal(",").join(parts) + literal("}")


def _values(head: Head, literal: Callable[[str], str]) -> str:
    one = "(" + "|".join(literal(_json(name)) for name in head.names) + ")"
    return one if head.kind == "one-of" else f"{literal('[')}({one}({literal(',')}{one})*)?{literal(']')}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
