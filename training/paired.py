"""Rows that two bundles answered, one before the other: what was lost and won, and whether chance explains it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyclf import LabelSet
from tinyclf.labelset import Guard, Labels, as_tuple
from training.metrics import mcnemar
from training.rows import Row

LEVEL = 0.05
"""A difference is proven when its p-value is below this."""
BETTER, WORSE, MIXED, UNPROVEN = "better", "worse", "mixed", "no proven difference"


@dataclass(frozen=True, slots=True)
class Answered:
    """A gold row with what the old and the new bundle said of it; only heads with gold are judged."""

    row: Row
    gold: Labels
    old: Labels
    new: Labels

    def right(self, given: Labels, head: str) -> bool:
        """Whether the answer of one head is gold's, or gold says nothing."""
        return head not in self.gold or set(as_tuple(given[head])) == set(as_tuple(self.gold[head]))

    def all_right(self, given: Labels) -> bool:
        """Whether every head with gold is right."""
        return all(self.right(given, head) for head in self.gold)

    def guarded(self, guard: Guard) -> bool:
        """Whether gold is one of those that the guard protects."""
        return any(name in as_tuple(self.gold.get(head, ())) for head, name in guard.when)

    @property
    def regressed(self) -> bool:
        """Whether the old bundle had the row right and the new one has not."""
        return self.all_right(self.old) and not self.all_right(self.new)


def paired_tests(labels: LabelSet, answered: Sequence[Answered]) -> dict[str, Any]:
    """The paired tests of all heads together, of each head and of each guard, where right means not mistaken."""
    return {
        "all heads": paired(answered),
        "heads": {
            head.name: paired([a for a in answered if head.name in a.gold], _right_in(head.name))
            for head in labels.heads
        },
        "guards": {
            guard.name: paired([a for a in answered if a.guarded(guard)], _spared_by(guard)) for guard in labels.guards
        },
    }


def paired(
    answered: Sequence[Answered], right: Callable[[Answered, Labels], bool] = Answered.all_right
) -> dict[str, Any]:
    """How many rows each has right, how many were lost and won, and the p-value (``training.metrics.mcnemar``)."""
    pairs = [(right(a, a.old), right(a, a.new)) for a in answered]
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    old, new = (sum(side) for side in zip(*pairs, strict=True)) if pairs else (0, 0)
    return {"n": len(pairs), "old": old, "new": new, "lost": lost, "won": won, "p": mcnemar(lost, won)}


def verdict_of(tests: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The verdict on the new bundle and the reasons for it, from ``paired_tests``.

    Better or worse are said when ``LEVEL`` proves it, worse also when a guarded mistake is proven to be more frequent.
    A bundle with more guarded mistakes is never better: mixed, if it is proven to have more rows right.
    """
    overall, reasons = tests["all heads"], []
    proven = overall["p"] < LEVEL
    direction = f"all heads right in {overall['old']} rows before and {overall['new']} now, p = {overall['p']:.2g}"
    reasons.append(direction if proven else f"{direction}: chance alone may do that")
    more = worse = False
    for name, test in tests["guards"].items():
        before, now = test["n"] - test["old"], test["n"] - test["new"]
        if now > before:
            more, worse = True, worse or test["p"] < LEVEL
            reasons.append(
                f"more guarded mistakes than before, which is never better: {name!r} in {now} of {test['n']} rows, "
                f"{before} before, p = {test['p']:.2g}"
            )
    if worse or (proven and overall["lost"] > overall["won"]):
        return WORSE, reasons
    if not proven:
        return UNPROVEN, reasons
    return (MIXED if more else BETTER), reasons


def _right_in(head: str) -> Callable[[Answered, Labels], bool]:
    return lambda a, given: a.right(given, head)


def _spared_by(guard: Guard) -> Callable[[Answered, Labels], bool]:
    head, name = guard.never
    return lambda a, given: name not in as_tuple(given[head])
