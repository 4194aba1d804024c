"""From probabilities to labels: all heads together, by the thresholds of an operating point."""

from collections.abc import Sequence

from tinyclf.joint import Option, Ref, most_probable
from tinyclf.labelset import LabelSet, as_tuple
from tinyclf.operating import OperatingPoint

Chosen = list[tuple[int, ...]]
"""For each head the indices of its chosen classes."""

ANY_OF_GATE = 0.5


class Decoder:
    """Chooses the most probable labels that pass the gates and hold no incompatible pair.

    Taken head by head first; only when that gives an incompatible pair are the heads searched together. Where the
    gates leave nothing, the label set's default stands, which no gate can close.
    """

    def __init__(self, labels: LabelSet, point: OperatingPoint) -> None:
        self._one_of = [head.kind == "one-of" for head in labels.heads]
        gates = [point.gates.get(head.name, {}) for head in labels.heads]
        self._gates = [
            {c: gate[name] for c, name in enumerate(head.names) if name in gate}
            for head, gate in zip(labels.heads, gates, strict=True)
        ]
        self._default = [tuple(map(head.names.index, as_tuple(head.default))) for head in labels.heads]
        self._sure = [point.sure.get(head.name, 0.0) for head in labels.heads]
        index = {(head.name, name): (h, c) for h, head in enumerate(labels.heads) for c, name in enumerate(head.names)}
        self._banned: dict[Ref, set[Ref]] = {}
        for first, second in labels.incompatible:
            self._banned.setdefault(index[first], set()).add(index[second])
            self._banned.setdefault(index[second], set()).add(index[first])

    def __call__(self, probabilities: Sequence[Sequence[float]]) -> tuple[Chosen, float, bool]:
        """The chosen class indices by head, the confidence of the least sure head, and whether all heads are sure."""
        chosen = [self._alone(h, row) for h, row in enumerate(probabilities)]
        if self._banned and self._conflict(chosen):
            chosen = self._together(probabilities)
        confidence, sure = 1.0, True
        for h, row in enumerate(probabilities):
            classes, threshold = chosen[h], self._sure[h]
            least = row[classes[0]] if self._one_of[h] else min(p if c in classes else 1 - p for c, p in enumerate(row))
            if least < confidence:
                confidence = least
            if least < threshold:
                sure = False
        return chosen, confidence, sure

    def _alone(self, h: int, row: Sequence[float]) -> tuple[int, ...]:
        gates = self._gates[h]
        if self._one_of[h]:
            best = row.index(max(row))
            if gates and row[best] < gates.get(best, 0.0):
                best = max(self._open(h, row), key=row.__getitem__, default=self._default[h][0])
            return (best,)
        return tuple(c for c, p in enumerate(row) if p >= gates.get(c, ANY_OF_GATE))

    def _open(self, h: int, row: Sequence[float]) -> list[int]:
        """The classes whose gate is passed."""
        gates = self._gates[h]
        return [c for c, p in enumerate(row) if p >= gates.get(c, 0.0)]

    def _conflict(self, chosen: Chosen) -> bool:
        for h, classes in enumerate(chosen):
            for c in classes:
                for other, banned in self._banned.get((h, c), ()):
                    if banned in chosen[other]:
                        return True
        return False

    def _together(self, probabilities: Sequence[Sequence[float]]) -> Chosen:
        """Search all heads at once: a one-of head is one choice, an any-of head a yes or no for each class."""
        choices: list[list[Option]] = []
        for h, row in enumerate(probabilities):
            if self._one_of[h]:
                choices.append([(row[c], (h, c)) for c in self._open(h, row)])
            else:
                on = self._alone(h, row)
                choices += [[(p, (h, c)), (1 - p, None)] if c in on else [(1 - p, None)] for c, p in enumerate(row)]
        found: list[list[int]] = [[] for _ in probabilities]
        for h, c in most_probable(choices, self._banned):
            found[h].append(c)
        if any(one_of and not classes for one_of, classes in zip(self._one_of, found, strict=True)):
            return list(self._default)
        return [tuple(classes) for classes in found]
