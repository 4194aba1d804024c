"""What the service promises under load, judged by the figures of one run."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.stress_systems import HELD, LLM_DEAD, LLM_MUTE, LLM_SLOW, OLD, OLD_REAL, STUDENT

FAILING = (LLM_DEAD, LLM_SLOW, LLM_MUTE)
MOST_OF_STUDENT = 1.5
OVER_DEADLINE_MS = 5


class Verdict(NamedTuple):
    """A promise, its bar, what was found, and by how much it was missed; ``missed`` is empty where it holds."""

    promise: str
    bar: str
    found: str
    missed: str


def verdicts(found: Mapping[str, Any]) -> list[Verdict]:
    """All promises, from the figures that ``benchmarks.stress`` has gathered."""
    closed, opened = found["closed"], found["open"]
    return [
        _at_most("closed loop, 20 users, student: P99", closed[STUDENT]["20"]["p99"], 5),
        _at_most("open loop, 500/s, student: P99 from the intended time", opened[STUDENT]["500"]["p99"], 3),
        *(_ratio(name, closed) for name in FAILING),
        *_held(found),
        *_errors(found),
        *_events(found["events"]),
    ]


def _at_most(promise: str, figure: float, bar: float, unit: str = " ms") -> Verdict:
    missed = "" if figure <= bar else f"{_shown(figure - bar)}{unit}"
    return Verdict(promise, f"≤ {bar:g}{unit}", f"{_shown(figure)}{unit}", missed)


def _shown(figure: float) -> str:
    return f"{figure:.2f}" if isinstance(figure, float) else f"{figure}"


def _ratio(name: str, closed: Mapping[str, Any]) -> Verdict:
    """P99 against the student's of the same round; the worst round counts."""
    pairs = zip(closed[name]["20"]["p99 of each round"], closed[STUDENT]["20"]["p99 of each round"], strict=True)
    ratios = [own / students for own, students in pairs]
    verdict = _at_most(f"20 users, {name}, breaker open: P99 over the student's", max(ratios), MOST_OF_STUDENT, "")
    return verdict._replace(found=", ".join(f"{ratio:.2f}" for ratio in ratios) + " by round")


def _held(found: Mapping[str, Any]) -> Iterator[Verdict]:
    """While the breaker is closed: never past the deadline by more than a little, for the server and for its users."""
    bar = found["deadline_ms"] + OVER_DEADLINE_MS
    figures = found["closed"][HELD]["20"]
    for side, values in (("by the server's clock", figures["inside"]), ("as users see it", figures)):
        for key in ("p99.9", "max"):
            yield _at_most(f"20 users, {HELD}: {key} {side}", values[key], bar)
    for name, first in found["first contact"].items():
        yield _at_most(
            f"20 users, {name}, until the breaker opens: max by the server's clock", first["inside"]["max"], bar
        )
        yield _at_most(f"20 users, {name}, until the breaker opens: max as users see it", first["max"], bar)


def _errors(found: Mapping[str, Any]) -> Iterator[Verdict]:
    own: dict[str, int] = {}
    for point in _points(found):
        for kind, count in point["errors"].items():
            own[kind] = own.get(kind, 0) + count
    said = ", ".join(f"{count} {kind}" for kind, count in own.items()) or "0"
    asked = sum(point["n"] for point in _points(found))
    yield Verdict(f"errors in {asked:,} requests to the service", "0", said, f"{sum(own.values())}" if own else "")


def _points(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for loop in ("closed", "open"):
        for name, levels in found[loop].items():
            if name not in (OLD, OLD_REAL):
                yield from levels.values()
    yield from found["first contact"].values()


def _events(events: Mapping[str, Any]) -> Iterator[Verdict]:
    swaps, kill, restart = events["swaps"], events["kill"], events["restart"]
    yield _at_most(f"{swaps['swaps']} bundle swaps, 20 users: requests lost", swaps["lost"], 0, "")
    held = kill["connections held"]
    yield _at_most("`kill -9` of one of 2 workers, 20 users: lost, of those it held", kill["lost"], held, "")
    yield _at_most("restart of both workers, 20 users: requests lost", restart["lost"], 0, "")
