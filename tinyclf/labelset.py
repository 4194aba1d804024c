"""The label set: the questions put to the student and the answers it may give. Data, not code."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tinyclf.turn import Turn

Labels = Mapping[str, str | tuple[str, ...]]
"""Head name to the chosen class (one-of) or classes (any-of)."""

ClassRef = tuple[str, str]
"""A class by head name and class name."""


@dataclass(frozen=True, slots=True)
class Look:
    """A simple face; the defaults are a neutral one.

    ``eyes``: 0 closed to 1 wide. ``brow``: -1 angry slant to 1 raised. ``mouth``: -1 corners down to 1 wide smile.
    ``open``: how far the mouth is open, 0 to 1.
    """

    eyes: float = 0.6
    brow: float = 0.0
    mouth: float = 0.0
    open: float = 0.0


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One possible answer to a head's question, and how the robot looks and sounds when it is chosen.

    ``look``: the face, or ``None`` where the class has no say in it. ``sparkle``: whether the robot's celebration
    starts. ``hint``: language tag to one sentence for the LLM that writes the robot's answer: the mood to write in.
    """

    name: str
    definition: str = ""
    look: Look | None = None
    sparkle: bool = False
    hint: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Head:
    """One question to the student: ``one-of`` its classes (softmax) or ``any-of`` them (sigmoid)."""

    name: str
    kind: Literal["one-of", "any-of"]
    classes: tuple[LabelClass, ...]
    default: str | tuple[str, ...]
    question: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names in the order of the student's outputs."""
        return tuple(c.name for c in self.classes)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the decision list: the first rule whose condition holds decides.

    ``rulings`` say how the rule decides what people who labelled by it asked or disagreed about.
    """

    when: str
    then: Mapping[str, tuple[str, ...]]
    rulings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A turn with its labels and the reason; contrasting examples stand beside each other."""

    turn: Turn
    labels: Labels
    why: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """A costly mistake: answering ``never`` for a turn whose true label is one of ``when``."""

    name: str
    never: ClassRef
    when: tuple[ClassRef, ...]


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Heads, decision list, examples, pairs that never come out together, and costly mistakes."""

    name: str
    heads: tuple[Head, ...]
    description: str = ""
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()
    incompatible: frozenset[tuple[ClassRef, ClassRef]] = frozenset()
    guards: tuple[Guard, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The table this was read from, kept so that a bundle can carry it unchanged."""

    @property
    def default(self) -> Labels:
        """The labels given when there is nothing to decide on."""
        return {head.name: head.default for head in self.heads}

    @property
    def places(self) -> dict[ClassRef, tuple[int, int]]:
        """Where each class stands: the index of its head, and its own among the head's classes."""
        return {(head.name, name): (h, c) for h, head in enumerate(self.heads) for c, name in enumerate(head.names)}

    @property
    def unruled(self) -> frozenset[tuple[ClassRef, ClassRef]]:
        """The pairs of classes of two one-of heads that no rule gives together; none where there are no rules."""
        found: set[tuple[ClassRef, ClassRef]] = set()
        for a, b in itertools.combinations([head for head in self.heads if head.kind == "one-of"], 2):
            rules = [rule.then for rule in self.rules if a.name in rule.then and b.name in rule.then]
            given = {pair for then in rules for pair in itertools.product(then[a.name], then[b.name])}
            pairs = itertools.product(a.names, b.names) if rules else ()
            found |= {((a.name, x), (b.name, y)) for x, y in pairs if (x, y) not in given}
        return frozenset(found)

    def head(self, name: str) -> Head:
        """The head of that name; ``KeyError`` when there is none."""
        for head in self.heads:
            if head.name == name:
                return head
        raise KeyError(name)

    def chosen(self, labels: Labels) -> tuple[LabelClass, ...]:
        """The classes that ``labels`` choose, in the order of heads and classes; unknown names are left out."""
        picked = [(head, as_tuple(labels.get(head.name, ()))) for head in self.heads]
        return tuple(cls for head, names in picked for cls in head.classes if cls.name in names)

    def conflicts(self, labels: Labels) -> list[tuple[ClassRef, ClassRef]]:
        """The incompatible pairs that stand together in ``labels``."""
        refs = {(head, name) for head, value in labels.items() for name in as_tuple(value)}
        return sorted(pair for pair in self.incompatible if pair[0] in refs and pair[1] in refs)


def as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    """The chosen classes of any head as a tuple: one-of answers become one-tuples."""
    return (value,) if isinstance(value, str) else tuple(value)
