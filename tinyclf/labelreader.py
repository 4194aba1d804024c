"""From the table of a label set to dataclasses, checked on their own and together."""

import itertools
import re
from collections.abc import Mapping

from tinyclf.labelclass import read_class
from tinyclf.labelentry import Entry
from tinyclf.labelset import ClassRef, Example, Guard, Head, LabelSet, Rule, as_tuple
from tinyclf.turn import SEGMENTS, Turn

_HEAD_NAME = re.compile(r"[\w-]+")


class Reader:
    """Reads one label set; each method knows one kind of entry."""

    def __init__(self, root: Entry) -> None:
        self._root = root

    def label_set(self) -> LabelSet:
        """The label set; ``LabelSetError`` names the place of the first mistake."""
        root = self._root
        root.only("name", "description", "heads", "rules", "examples", "incompatible", "guards")
        heads = tuple(self._head(entry) for entry in root.entries("heads"))
        if not heads:
            root.fail("no heads: add at least one [[heads]] table")
        _unique(root.entries("heads"), "head")
        self._heads = {head.name: head for head in heads}
        rules = tuple(self._rule(entry) for entry in root.entries("rules"))
        guards = tuple(self._guard(entry) for entry in root.entries("guards"))
        _unique(root.entries("guards"), "guard")
        pairs = (self._pairs(entry) for entry in root.entries("incompatible"))
        labels = LabelSet(
            name=root.text("name"),
            description=root.text("description", ""),
            heads=heads,
            rules=rules,
            examples=tuple(self._example(entry) for entry in root.entries("examples")),
            incompatible=frozenset(itertools.chain.from_iterable(pairs)),
            guards=guards,
            source=root.table,
        )
        self._check_together(labels)
        return labels

    def _head(self, entry: Entry) -> Head:
        entry.only("name", "kind", "question", "default", "classes")
        name = entry.name("head", _HEAD_NAME)
        kind = entry.table.get("kind", "one-of")
        if kind not in ("one-of", "any-of"):
            entry.fail(f"head {name!r}: kind must be 'one-of' or 'any-of', not {kind!r}")
        classes = tuple(read_class(item, name) for item in entry.entries("classes"))
        names = [c.name for c in classes]
        _unique(entry.entries("classes"), f"head {name!r}: class")
        if len(classes) < (2 if kind == "one-of" else 1):
            entry.fail(f"head {name!r}: {len(classes)} classes; a {kind} head needs more")
        default = entry.table.get("default", names[-1] if kind == "one-of" else [])
        if isinstance(default, str) != (kind == "one-of"):
            entry.fail(f"head {name!r}: the default of a {kind} head is {_form(kind)}")
        for cls in as_tuple(default):
            if cls not in names:
                entry.fail(f"head {name!r}: default {cls!r} is not one of its classes ({', '.join(names)})")
        return Head(
            name, kind, classes, default if isinstance(default, str) else tuple(default), entry.text("question", "")
        )

    def _rule(self, entry: Entry) -> Rule:
        entry.only("when", "then", "rulings")
        then = self._labels(entry, entry.table.get("then"), "'then'")
        classes = {head: as_tuple(names) for head, names in then.items()}
        return Rule(entry.text("when"), classes, entry.texts("rulings"))

    def _example(self, entry: Entry) -> Example:
        entry.only(*SEGMENTS, "labels", "why")
        labels = self._labels(entry, entry.table.get("labels"), "'labels'")
        for head, value in labels.items():
            if isinstance(value, str) != (self._heads[head].kind == "one-of"):
                kind = self._heads[head].kind
                entry.fail(f"head {head!r} is {kind}: its label is {_form(kind)}")
        segments = {name: entry.text(name, "") for name in SEGMENTS}
        if not segments["utterance"]:
            entry.fail("an example needs an utterance")
        return Example(Turn(**segments), labels, entry.text("why", ""))

    def _pairs(self, entry: Entry) -> set[tuple[ClassRef, ClassRef]]:
        sides = self._labels(entry, entry.table, "an incompatible pair")
        if len(sides) != 2:
            entry.fail(f"an incompatible pair names two heads, this one names {len(sides)}")
        first, second = ([(head, name) for name in as_tuple(names)] for head, names in sides.items())
        return set(itertools.product(first, second))

    def _guard(self, entry: Entry) -> Guard:
        entry.only("name", "never", "when")
        never, when = (
            [(head, name) for head, names in table.items() for name in as_tuple(names)]
            for table in (self._labels(entry, entry.table.get(side), f"'{side}'") for side in ("never", "when"))
        )
        if len(never) != 1 or not when:
            entry.fail("a guard names one class under 'never' and at least one under 'when'")
        return Guard(entry.text("name"), never[0], tuple(when))

    def _labels(self, entry: Entry, value: object, field: str) -> dict[str, str | tuple[str, ...]]:
        """A table of head = class or head = [classes], all of them known."""
        if not isinstance(value, Mapping):
            entry.fail(f"{field} must be a table of head = class")
        for head, names in value.items():
            if head not in self._heads:
                entry.fail(f"unknown head {head!r}; heads are {', '.join(self._heads)}")
            for name in names if isinstance(names, list) else [names]:
                if name not in self._heads[head].names:
                    known = ", ".join(self._heads[head].names)
                    entry.fail(f"head {head!r} has no class {name!r}; its classes are {known}")
        return {head: names if isinstance(names, str) else tuple(names) for head, names in value.items()}

    def _check_together(self, labels: LabelSet) -> None:
        root = self._root
        for pair in labels.conflicts(labels.default):
            root.fail(f"the default decision is incompatible with itself: {pair[0]} and {pair[1]}")
        for entry, guard in zip(root.entries("guards"), labels.guards, strict=True):
            if guard.never[1] in as_tuple(labels.default[guard.never[0]]):
                entry.fail(f"{guard.never} is the default, which must stay open; guard another class")
        for entry, example in zip(root.entries("examples"), labels.examples, strict=True):
            for pair in labels.conflicts(example.labels):
                entry.fail(f"labels {pair[0]} and {pair[1]} are declared incompatible")
        given = {(head, name) for rule in labels.rules for head, names in rule.then.items() for name in names}
        for head_entry, head in zip(root.entries("heads"), labels.heads, strict=True):
            for entry, name in zip(head_entry.entries("classes"), head.names, strict=True):
                if labels.rules and (head.name, name) not in given:
                    entry.fail(f"head {head.name!r}: no rule gives class {name!r}")


def _unique(entries: list[Entry], what: str) -> None:
    """Refuse the second entry of a name."""
    seen: set[str] = set()
    for entry in entries:
        if (name := entry.table["name"]) in seen:
            entry.fail(f"{what} {name!r} stands twice")
        seen.add(name)


def _form(kind: str) -> str:
    return "a class name" if kind == "one-of" else "a list of class names"
