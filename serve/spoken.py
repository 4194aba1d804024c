"""The turn inside a chat request: in today's form, as JSON, or as plain text."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tinyclf import Turn

CONTEXT = re.compile(r"\s*\[CONTEXT\]\s*\n(?P<fields>.*)", re.DOTALL)
SAID, ANSWERED = "user_last_message", "pika_response"
"""The fields of today's form. The second is the robot's answer to the first: the turn's ``reply``."""
FIELD = re.compile(rf"^[ \t]*(?P<name>{SAID}|{ANSWERED})[ \t]*:", re.MULTILINE)


def turn_in(message: str, previous: str = "") -> Turn:
    r"""The turn that a user message holds; ``previous``: what the robot said before, if the request tells it.

    Today's form is ``[CONTEXT]\nuser_last_message: "…"\npika_response: "…"``. JSON is an object with those fields, or
    with those of a turn. Everything else is what the child said, as it stands.
    """
    if form := CONTEXT.fullmatch(message):
        if fields := _fields(form["fields"]):
            return Turn(fields.get(SAID, ""), "", fields.get(ANSWERED, ""))
    elif message.lstrip().startswith("{") and (turn := _from_json(message)):
        return turn
    return Turn(message, previous)


def _fields(text: str) -> dict[str, str]:
    """The values of today's form. A field ends where the last line begins that names the other one.

    What the child said comes first; should it hold a line that looks like the second field, the last such line counts.
    """
    starts = list(FIELD.finditer(text))
    if not starts:
        return {}
    first = starts[0]
    second = next((start for start in reversed(starts) if start["name"] != first["name"]), None)
    found = {first["name"]: _unquoted(text[first.end() : second.start() if second else len(text)])}
    if second:
        found[second["name"]] = _unquoted(text[second.end() :])
    return found


def _unquoted(text: str) -> str:
    """The text between the quotes, where there are any; escapes are undone when all of it is a JSON string."""
    text = text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _from_json(message: str) -> Turn | None:
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return None
    for said, before, after in (("utterance", "previous", "reply"), (SAID, "previous", ANSWERED)):
        if isinstance(found.get(said), str):
            return Turn(found[said], _text(found, before), _text(found, after))
    return None


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
