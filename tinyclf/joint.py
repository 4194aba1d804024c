"""The most probable combination of choices that holds no banned pair."""

from collections.abc import Mapping, Sequence
from math import prod

Ref = tuple[int, int]
"""A class by head index and class index."""

Option = tuple[float, Ref | None]
"""A probability and what is chosen with it; ``None`` chooses nothing."""


def most_probable(choices: Sequence[Sequence[Option]], banned: Mapping[Ref, set[Ref]]) -> list[Ref]:
    """One option of each choice with the greatest product of probabilities and no banned pair among them.

    Depth first with the best remaining product as the bound (branch and bound; Land and Doig, 1960). ``[]`` when
    no combination is allowed.
    """
    ordered = [sorted(options, key=lambda option: -option[0]) for options in choices]
    bounds = [prod(options[0][0] for options in ordered[i:]) for i in range(len(ordered) + 1)]
    best: tuple[float, list[Ref]] = (-1.0, [])

    def descend(depth: int, product: float, taken: list[Ref]) -> None:
        nonlocal best
        if depth == len(ordered):
            if product > best[0]:
                best = (product, taken)
            return
        for probability, ref in ordered[depth]:
            if product * probability * bounds[depth + 1] <= best[0]:
                return
            if ref is None:
                descend(depth + 1, product * probability, taken)
            elif not banned.get(ref, set()).intersection(taken):
                descend(depth + 1, product * probability, [*taken, ref])

    descend(0, 1.0, [])
    return best[1]
