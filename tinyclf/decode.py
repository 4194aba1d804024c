"""From probabilities to labels: all heads together, by the thresholds of an operating point."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from tinyclf.joint import Option, Ref, most_probable
from tinyclf.labelset import LabelSet, as_tuple
from tinyclf.limits import Limits
from tinyclf.operating import OperatingPoint

Chosen = list[tuple[int, ...]]
"""For each head the indices of its chosen classes."""

Partners = Mapping[Ref, set[Ref]]

Gates = Sequence[Sequence[float]]
"""For each head the least probability at which each of its classes may be chosen."""

ANY_OF_GATE = 0.5
MOST_SEEN = 10_000


class Decoder:
    """Chooses labels for all heads together, first by the rules, then by the gates and limits.

    First the most probable labels that some rule of the label set gives; then a class whose gate is closed yields to
    the next one, and so does one that a guard's limit closes; and at last, should that leave an incompatible pair, all
    heads are searched again among what is open. Where nothing is, the label set's default stands, which nothing closes.
    """

    def __init__(self, labels: LabelSet, point: OperatingPoint) -> None:
        self._one_of = [head.kind == "one-of" for head in labels.heads]
        gates = [point.gates.get(head.name, {}) for head in labels.heads]
        self._gates = [
            [gate.get(name, 0.0 if head.kind == "one-of" else ANY_OF_GATE) for name in head.names]
            for head, gate in zip(labels.heads, gates, strict=True)
        ]
        self._ungated = [
            [0.0] * len(row) if one_of else row for one_of, row in zip(self._one_of, self._gates, strict=True)
        ]
        self._limits = Limits(labels, point.limits)
        self._default = [tuple(map(head.names.index, as_tuple(head.default))) for head in labels.heads]
        self._sure = [point.sure.get(head.name, 0.0) for head in labels.heads]
        self._heads = list(zip(self._one_of, self._gates, self._sure, strict=True))
        places = labels.places
        self._incompatible = _partners((places[a], places[b]) for a, b in labels.incompatible)
        self._unruled = _partners((places[a], places[b]) for a, b in labels.incompatible | labels.unruled)
        self._seen: dict[tuple[tuple[int, ...], ...], bool] = {}

    def __call__(self, probabilities: Sequence[Sequence[float]]) -> tuple[Chosen, float, bool]:
        """The chosen class indices by head, the confidence of the least sure head, and whether all heads are sure."""
        chosen: Chosen = []
        confidence, sure, closed = 1.0, True, False
        for (one_of, gates, wanted), row in zip(self._heads, probabilities, strict=True):  # one loop: time counts here
            if one_of:
                least = max(row)
                best = row.index(least)
                chosen.append((best,))
                if least < gates[best]:
                    closed = True
            else:
                chosen.append(tuple(c for c, p in enumerate(row) if p >= gates[c]))
                least = _least(row, chosen[-1], one_of)
            if least < confidence:
                confidence = least
            if least < wanted:
                sure = False
        if closed or self._limits.broken(probabilities, chosen) or self._clashes(chosen):
            chosen = self._searched(probabilities, chosen)
            confidence, sure = self._confidence(probabilities, chosen)
        return chosen, confidence, sure

    def _searched(self, probabilities: Sequence[Sequence[float]], chosen: Chosen) -> Chosen:
        """The labels where the most probable classes of all heads cannot stand."""
        gates = self._gates_now(probabilities)
        if self._clashes(chosen):
            chosen = self._together(probabilities, self._unruled, self._ungated) or self._together(
                probabilities, self._incompatible, self._ungated
            )
        for h in range(len(chosen)):
            if (open_ones := self._gated(h, probabilities[h], chosen[h], gates[h])) != chosen[h]:
                chosen[h] = open_ones
                if _clash(chosen, self._incompatible):
                    return self._together(probabilities, self._incompatible, gates) or list(self._default)
        return chosen

    def _confidence(self, probabilities: Sequence[Sequence[float]], chosen: Chosen) -> tuple[float, bool]:
        least = [_least(*given) for given in zip(probabilities, chosen, self._one_of, strict=True)]
        return min(1.0, *least), all(p >= wanted for p, wanted in zip(least, self._sure, strict=True))

    def _clashes(self, chosen: Chosen) -> bool:
        """Whether a pair stands together that no rule gives; remembered, for there are few answers and many turns."""
        key = tuple(chosen)
        known = self._seen.get(key)
        if known is None:
            known = _clash(chosen, self._unruled)
            if len(self._seen) < MOST_SEEN:
                self._seen[key] = known
        return known

    def _gates_now(self, probabilities: Sequence[Sequence[float]]) -> Gates:
        """The gates, with those shut that a limit closes."""
        shut = self._limits.closed(probabilities)
        return [[inf if (h, c) in shut else p for c, p in enumerate(row)] for h, row in enumerate(self._gates)]

    def _gated(self, h: int, row: Sequence[float], classes: tuple[int, ...], gates: Sequence[float]) -> tuple[int, ...]:
        """The chosen classes whose gate is open; for a one-of head without any, the most probable open one."""
        kept = tuple(c for c in classes if row[c] >= gates[c])
        if kept or not self._one_of[h]:
            return kept
        return (max(_open(row, gates), key=row.__getitem__, default=self._default[h][0]),)

    def _together(self, probabilities: Sequence[Sequence[float]], banned: Partners, gates: Gates) -> Chosen:
        """Search all heads at once: a one-of head is one choice, an any-of head a yes or no for each class.

        ``[]`` when no combination is left.
        """
        choices: list[list[Option]] = []
        for h, row in enumerate(probabilities):
            on = _open(row, gates[h])
            if self._one_of[h]:
                choices.append([(row[c], (h, c)) for c in on])
            else:
                choices += [[(p, (h, c)), (1 - p, None)] if c in on else [(1 - p, None)] for c, p in enumerate(row)]
        found: list[list[int]] = [[] for _ in probabilities]
        for h, c in most_probable(choices, banned):
            found[h].append(c)
        if any(one_of and not classes for one_of, classes in zip(self._one_of, found, strict=True)):
            return []
        return [tuple(classes) for classes in found]


def _open(row: Sequence[float], gates: Sequence[float]) -> list[int]:
    """The classes whose gate is passed."""
    return [c for c, p in enumerate(row) if p >= gates[c]]


def _least(row: Sequence[float], classes: tuple[int, ...], one_of: bool) -> float:
    """How sure a head is: of its class, or of the least sure yes or no of an any-of head."""
    return row[classes[0]] if one_of else min(p if c in classes else 1 - p for c, p in enumerate(row))


def _partners(pairs: Iterable[tuple[Ref, Ref]]) -> Partners:
    """Each class with those that it must not stand beside."""
    found: dict[Ref, set[Ref]] = {}
    for first, second in pairs:
        found.setdefault(first, set()).add(second)
        found.setdefault(second, set()).add(first)
    return found


def _clash(chosen: Chosen, banned: Partners) -> bool:
    """Whether a banned pair stands among the chosen classes."""
    for h, classes in enumerate(chosen):
        for c in classes:
            for other, partner in banned.get((h, c), ()):
                if partner in chosen[other]:
                    return True
    return False
