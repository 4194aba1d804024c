"""Read a label set from TOML (or the same table from a manifest) and name every mistake by its line."""

import itertools
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from tinyclf.errors import LabelSetError
from tinyclf.labelset import ClassRef, Example, Guard, Head, LabelClass, LabelSet, Rule, as_tuple
from tinyclf.turn import SEGMENTS, Turn

Key = tuple[str | int, ...]
_HEADER = re.compile(r"^\s*\[\[\s*(\w+)(?:\.(\w+))?\s*\]\]")
_HEAD_NAME = re.compile(r"[\w-]+")
_CLASS_NAME = re.compile(r"\S(.*\S)?")


def default_labels() -> LabelSet:
    """The label set that ships with tinyclf."""
    return read_labels(Path(str(files("tinyclf") / "labels.toml")))


def read_labels(path: Path | str) -> LabelSet:
    """Read a label set from a TOML file; ``LabelSetError`` names file, line, head and class of a mistake."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise LabelSetError(f"{path}: cannot read the label set: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabelSetError(f"{path}: not valid TOML: {error}") from error
    lines = _lines(text)

    def where(key: Key) -> str:
        while key and key not in lines:
            key = key[:-1]
        return f"{path}:{lines.get(key, 1)}"

    return parse_labels(table, where)


def parse_labels(table: Mapping[str, Any], where: Callable[[Key], str] = lambda key: "label set") -> LabelSet:
    """Build and check a label set; ``where`` turns a key such as ``("heads", 0, "classes", 2)`` into a place."""
    return _Reader(where).label_set(table)


def _lines(text: str) -> dict[Key, int]:
    """The line of every ``[[array]]`` entry, because tomllib keeps no positions."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    parent: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        if not (match := _HEADER.match(line)):
            continue
        array: Key = (match[1],) if match[2] is None else (*parent, match[2])
        index = counts.get(array, -1) + 1
        counts[array] = index
        found[(*array, index)] = number
        if match[2] is None:
            parent = (match[1], index)
    return found


class _Reader:
    """Turns the table into dataclasses; each method knows one kind of entry."""

    def __init__(self, where: Callable[[Key], str]) -> None:
        self._where = where

    def label_set(self, table: Mapping[str, Any]) -> LabelSet:
        self._only(table, (), "name", "description", "heads", "rules", "examples", "incompatible", "guards")
        heads = tuple(self._head(entry, ("heads", i)) for i, entry in enumerate(self._list(table, "heads", ())))
        if not heads:
            self._fail((), "no heads: add at least one [[heads]] table")
        self._unique([h.name for h in heads], ("heads",), "head")
        self._heads = {head.name: head for head in heads}
        rules = tuple(self._rule(e, ("rules", i)) for i, e in enumerate(self._list(table, "rules", ())))
        pairs = (self._pairs(e, ("incompatible", i)) for i, e in enumerate(self._list(table, "incompatible", ())))
        labels = LabelSet(
            name=self._text(table, "name", ()),
            description=self._text(table, "description", (), ""),
            heads=heads,
            rules=rules,
            examples=tuple(self._example(e, ("examples", i)) for i, e in enumerate(self._list(table, "examples", ()))),
            incompatible=frozenset(itertools.chain.from_iterable(pairs)),
            guards=tuple(self._guard(e, ("guards", i)) for i, e in enumerate(self._list(table, "guards", ()))),
            source=table,
        )
        self._check_together(labels)
        return labels

    def _head(self, entry: Mapping[str, Any], key: Key) -> Head:
        self._only(entry, key, "name", "kind", "question", "default", "classes")
        name = self._name(entry, key, "head", _HEAD_NAME)
        kind = entry.get("kind", "one-of")
        if kind not in ("one-of", "any-of"):
            self._fail(key, f"head {name!r}: kind must be 'one-of' or 'any-of', not {kind!r}")
        classes = []
        for i, item in enumerate(self._list(entry, "classes", key)):
            at = (*key, "classes", i)
            self._only(item, at, "name", "definition")
            cls = self._name(item, at, f"head {name!r}: class", _CLASS_NAME)
            classes.append(LabelClass(cls, self._text(item, "definition", at, "")))
        names = [c.name for c in classes]
        self._unique(names, (*key, "classes"), f"head {name!r}: class")
        if len(classes) < (2 if kind == "one-of" else 1):
            self._fail(key, f"head {name!r}: {len(classes)} classes; a {kind} head needs more")
        default = entry.get("default", names[-1] if kind == "one-of" else [])
        if isinstance(default, str) != (kind == "one-of"):
            self._fail(key, f"head {name!r}: the default of a {kind} head is {self._form(kind)}")
        for cls in as_tuple(default):
            if cls not in names:
                self._fail(key, f"head {name!r}: default {cls!r} is not one of its classes ({', '.join(names)})")
        question = self._text(entry, "question", key, "")
        return Head(name, kind, tuple(classes), default if isinstance(default, str) else tuple(default), question)

    def _rule(self, entry: Mapping[str, Any], key: Key) -> Rule:
        self._only(entry, key, "when", "then")
        then = self._labels(entry.get("then"), "'then'", key)
        return Rule(self._text(entry, "when", key), {head: as_tuple(names) for head, names in then.items()})

    def _example(self, entry: Mapping[str, Any], key: Key) -> Example:
        self._only(entry, key, *SEGMENTS, "labels", "why")
        labels = self._labels(entry.get("labels"), "'labels'", key)
        for head, value in labels.items():
            if isinstance(value, str) != (self._heads[head].kind == "one-of"):
                kind = self._heads[head].kind
                self._fail(key, f"head {head!r} is {kind}: its label is {self._form(kind)}")
        segments = {name: self._text(entry, name, key, "") for name in SEGMENTS}
        if not segments["utterance"]:
            self._fail(key, "an example needs an utterance")
        return Example(Turn(**segments), labels, self._text(entry, "why", key, ""))

    def _pairs(self, entry: Mapping[str, Any], key: Key) -> set[tuple[ClassRef, ClassRef]]:
        sides = self._labels(entry, "an incompatible pair", key)
        if len(sides) != 2:
            self._fail(key, f"an incompatible pair names two heads, this one names {len(sides)}")
        first, second = ([(head, name) for name in as_tuple(names)] for head, names in sides.items())
        return set(itertools.product(first, second))

    def _guard(self, entry: Mapping[str, Any], key: Key) -> Guard:
        self._only(entry, key, "name", "never", "when")
        never, when = (
            [(head, name) for head, names in table.items() for name in as_tuple(names)]
            for table in (self._labels(entry.get(side), f"'{side}'", key) for side in ("never", "when"))
        )
        if len(never) != 1 or not when:
            self._fail(key, "a guard names one class under 'never' and at least one under 'when'")
        return Guard(self._text(entry, "name", key), never[0], tuple(when))

    def _check_together(self, labels: LabelSet) -> None:
        for pair in labels.conflicts(labels.default):
            self._fail((), f"the default decision is incompatible with itself: {pair[0]} and {pair[1]}")
        for i, guard in enumerate(labels.guards):
            if guard.never[1] in as_tuple(labels.default[guard.never[0]]):
                self._fail(("guards", i), f"{guard.never} is the default, which must stay open; guard another class")
        for i, example in enumerate(labels.examples):
            for pair in labels.conflicts(example.labels):
                self._fail(("examples", i), f"labels {pair[0]} and {pair[1]} are declared incompatible")
        given = {(head, name) for rule in labels.rules for head, names in rule.then.items() for name in names}
        for h, head in enumerate(labels.heads):
            for c, name in enumerate(head.names):
                if labels.rules and (head.name, name) not in given:
                    self._fail(("heads", h, "classes", c), f"head {head.name!r}: no rule gives class {name!r}")

    @staticmethod
    def _form(kind: str) -> str:
        return "a class name" if kind == "one-of" else "a list of class names"

    def _name(self, entry: Mapping[str, Any], key: Key, what: str, pattern: re.Pattern[str]) -> str:
        name = entry.get("name")
        if not isinstance(name, str) or not pattern.fullmatch(name):
            self._fail(key, f"{what} needs a name that matches {pattern.pattern}, not {name!r}")
        return name

    def _text(self, entry: Mapping[str, Any], field: str, key: Key, default: str | None = None) -> str:
        value = entry.get(field, default)
        if not isinstance(value, str):
            self._fail(key, f"'{field}' must be text" + ("" if field in entry else ", it is missing"))
        return value

    def _labels(self, value: object, field: str, key: Key) -> dict[str, str | tuple[str, ...]]:
        """A table of head = class or head = [classes], all of them known."""
        if not isinstance(value, Mapping):
            self._fail(key, f"{field} must be a table of head = class")
        for head, names in value.items():
            if head not in self._heads:
                self._fail(key, f"unknown head {head!r}; heads are {', '.join(self._heads)}")
            for name in names if isinstance(names, list) else [names]:
                if name not in self._heads[head].names:
                    known = ", ".join(self._heads[head].names)
                    self._fail(key, f"head {head!r} has no class {name!r}; its classes are {known}")
        return {head: names if isinstance(names, str) else tuple(names) for head, names in value.items()}

    def _list(self, entry: Mapping[str, Any], field: str, key: Key) -> list[Mapping[str, Any]]:
        value = entry.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self._fail(key, f"'{field}' must be written as [[{field}]] tables")
        return list(value)

    def _only(self, entry: Mapping[str, Any], key: Key, *known: str) -> None:
        for field in entry:
            if field not in known:
                self._fail(key, f"unknown key {field!r}; known are {', '.join(known)}")

    def _unique(self, names: list[str], key: Key, what: str) -> None:
        for i, name in enumerate(names):
            if name in names[:i]:
                self._fail((*key, i), f"{what} {name!r} stands twice")

    def _fail(self, key: Key, message: str) -> NoReturn:
        raise LabelSetError(f"{self._where(key)}: {message}")
