"""How one class of a head is read: its name and meaning, and how it looks and sounds."""

import re

from tinyclf.labelentry import Entry
from tinyclf.labelset import LabelClass, Look

_CLASS_NAME = re.compile(r"\S(.*\S)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # BCP 47, without its grandfathered tags


def read_class(entry: Entry, head: str) -> LabelClass:
    """One ``[[heads.classes]]`` entry of the head of that name."""
    entry.only("name", "definition", "look", "sparkle", "hint")
    name = entry.name(f"head {head!r}: class", _CLASS_NAME)
    entry = entry.named(f"head {head!r}: class {name!r}")
    look, hint = entry.inner("look"), entry.inner("hint")
    return LabelClass(
        name,
        entry.text("definition", ""),
        _look(look) if look else None,
        entry.switch("sparkle"),
        {language: _said(hint, language) for language in hint.table} if hint else {},
    )


def _look(entry: Entry) -> Look:
    entry.only("eyes", "brow", "mouth", "open")
    rest = Look()
    return Look(
        eyes=entry.number("eyes", 0, 1, rest.eyes),
        brow=entry.number("brow", -1, 1, rest.brow),
        mouth=entry.number("mouth", -1, 1, rest.mouth),
        open=entry.number("open", 0, 1, rest.open),
    )


def _said(entry: Entry, language: str) -> str:
    """The hint in one language, as one line."""
    if not _LANGUAGE.fullmatch(language):
        entry.fail(f"{language!r} is no language tag; write it as in vi, en or pt-BR (BCP 47)")
    if not (text := " ".join(entry.text(language).split())):
        entry.fail(f"'{language}' is blank; say in which mood to write, or leave the language out")
    return text
