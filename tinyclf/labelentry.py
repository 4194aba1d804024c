"""One table of a label set: fields of the wanted type, or an error that says where and what."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self

from tinyclf.errors import LabelSetError

Key = tuple[str | int, ...]
"""The way to an entry from the root of a label set, such as ``("heads", 0, "classes", 2)``."""
Where = Callable[[Key], str]
"""Turns a key into a place that a person can go to: a file and its line."""


class Entry:
    """A table, the key that leads to it, and what errors call it (``about``, such as ``head 'dish': ``)."""

    def __init__(self, table: Mapping[str, Any], key: Key, where: Where, about: str = "") -> None:
        self.table, self.key, self._where, self._about = table, key, where, about

    def named(self, about: str) -> Self:
        """The same entry, called so in errors from now on."""
        return type(self)(self.table, self.key, self._where, f"{about}: ")

    def only(self, *known: str) -> None:
        """Refuse every field that is not ``known``."""
        for field in self.table:
            if field not in known:
                self.fail(f"unknown key {field!r}; known are {', '.join(known)}")

    def text(self, field: str, default: str | None = None) -> str:
        """A field that is text; without ``default`` it must be there."""
        value = self.table.get(field, default)
        if not isinstance(value, str):
            self.fail(f"'{field}' must be text" + ("" if field in self.table else ", it is missing"))
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A field that is a list of texts; empty where it is absent."""
        value = self.table.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(f"'{field}' must be a list of texts")
        return tuple(value)

    def name(self, what: str, pattern: re.Pattern[str]) -> str:
        """The field ``name``, which must match ``pattern``; ``what`` is what bears it."""
        name = self.table.get("name")
        if not isinstance(name, str) or not pattern.fullmatch(name):
            self.fail(f"{what} needs a name that matches {pattern.pattern}, not {name!r}")
        return name

    def switch(self, field: str) -> bool:
        """A field that is true or false; false where it is absent."""
        value = self.table.get(field, False)
        if not isinstance(value, bool):
            self.fail(f"'{field}' must be true or false, not {value!r}")
        return value

    def number(self, field: str, low: float, high: float, default: float) -> float:
        """A field that is a number from ``low`` to ``high``."""
        value = self.table.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(f"'{field}' must be a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def inner(self, field: str) -> "Entry | None":
        """A field that is a table itself, written in the same place; ``None`` where it is absent."""
        value = self.table.get(field)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.fail(f"'{field}' must be a table, such as {field} = {{ ... }}")
        return Entry(value, self.key, self._where, f"{self._about}{field}: ")

    def entries(self, field: str) -> "list[Entry]":
        """The entries of an array of tables; none where it is absent."""
        value = self.table.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.fail(f"'{field}' must be written as [[{field}]] tables")
        return [Entry(item, (*self.key, field, i), self._where) for i, item in enumerate(value)]

    def fail(self, message: str) -> NoReturn:
        """Raise ``LabelSetError`` with the place of this entry."""
        raise LabelSetError(f"{self._where(self.key)}: {self._about}{message}")
