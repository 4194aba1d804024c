"""Limits: how probable what a guard protects may be while the guarded class is still chosen."""

from collections.abc import Mapping, Sequence

from tinyclf.joint import Ref
from tinyclf.labelset import Guard, LabelSet


class Limits:
    """Closes the class that a guard must ``never`` see chosen, while its ``when`` together are too probable.

    Two signs say more than one: distress beside good news leaves a mark on the emotion even where the celebration
    alone looks certain.
    """

    def __init__(self, labels: LabelSet, limits: Mapping[str, float]) -> None:
        guards = [guard for guard in labels.guards if guard.name in limits]
        self._limits = [(*_places(labels, guard), limits[guard.name]) for guard in guards]

    def closed(self, probabilities: Sequence[Sequence[float]]) -> list[Ref]:
        """The classes that must not be chosen."""
        return [never for never, when, limit in self._limits if _risk(probabilities, when) > limit]

    def broken(self, probabilities: Sequence[Sequence[float]], chosen: Sequence[tuple[int, ...]]) -> bool:
        """Whether one of those classes is chosen."""
        for (h, c), when, limit in self._limits:  # noqa: SIM110 (a loop is faster, and time counts here)
            if c in chosen[h] and _risk(probabilities, when) > limit:
                return True
        return False


def _risk(probabilities: Sequence[Sequence[float]], when: Sequence[tuple[int, bool, tuple[int, ...]]]) -> float:
    """At least how probable it is that the guard applies: a sum in a one-of head, otherwise the most probable class."""
    return max([(sum if one_of else max)([probabilities[h][c] for c in classes]) for h, one_of, classes in when])


def _places(labels: LabelSet, guard: Guard) -> tuple[Ref, list[tuple[int, bool, tuple[int, ...]]]]:
    """Where ``never`` and ``when`` stand among the probabilities, ``when`` by head."""
    places = labels.places
    when: dict[int, list[int]] = {}
    for ref in guard.when:
        h, c = places[ref]
        when.setdefault(h, []).append(c)
    return places[guard.never], [(h, labels.heads[h].kind == "one-of", tuple(found)) for h, found in when.items()]
