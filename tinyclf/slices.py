"""Slices: the groups of turns that reports tell apart, the same for students and teachers."""

from collections.abc import Iterable

from tinyclf.turn import Turn


def slices_of(turns: Iterable[tuple[Turn, str, str]]) -> dict[str, list[int]]:
    """The places of each slice that is not all of them, for turns with their language and topic ("" for unknown)."""
    found: dict[str, list[int]] = {}
    count = 0
    for place, (turn, lang, topic) in enumerate(turns):
        count += 1
        for name in _names(turn, lang, topic):
            found.setdefault(name, []).append(place)
    return {name: found[name] for name in sorted(found) if len(found[name]) < count}


def _names(turn: Turn, lang: str, topic: str) -> list[str]:
    words = len(turn.utterance.split())
    named = [f"lang={lang}"] * bool(lang) + [f"topic={topic}"] * bool(topic)
    return [
        *named,
        "with previous" if turn.previous else "without previous",
        "with reply" if turn.reply else "without reply",
        "1-3 words" if words < 4 else "4-9 words" if words < 10 else "10+ words",
    ]
