"""The cascade on a virtual clock: whatever the LLM does, the decision is there, right, and in time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import virtual
from tests.turns import SURE, UNSURE
from tinyclf import Breaker, Cascade, Classifier, Decision, InputError, LabelSet, LlmError, Turn

DEADLINE = 0.05


@dataclass
class Said:
    table: list[list[float]]
    mass: float | None = 0.99

    def rows(self, labels: LabelSet) -> list[list[float]]:
        return self.table


@dataclass
class Script:
    """An LLM that does what it is told: waits, then answers or fails."""

    labels: LabelSet
    seconds: float = 0.01
    error: Exception | None = None
    said: Said | None = None
    stubborn: float = 0.0
    asked: int = 0
    cancelled: int = 0
    most: int = 0
    running: int = field(default=0, repr=False)

    async def __call__(self, turn: Turn) -> Said:
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(self.stubborn)
            raise
        finally:
            self.running -= 1
        if self.error:
            raise self.error
        return self.said or last_classes(self.labels)


def last_classes(labels: LabelSet) -> Said:
    return Said(
        [[0.9 if c == head.names[-1] else 0.1 / (len(head.names) - 1) for c in head.names] for head in labels.heads]
    )


def timed(clf: Classifier, llm: Script, count: int = 1, **options: Any) -> tuple[list[Decision], list[float], Cascade]:
    """``count`` unsure turns at once; decisions and how long each took."""

    async def work() -> tuple[list[Decision], list[float], Cascade]:
        loop = asyncio.get_running_loop()
        options.setdefault("breaker", Breaker(clock=loop.time))
        cascade = Cascade(clf, llm, DEADLINE, **options)

        async def one() -> tuple[Decision, float]:
            start = loop.time()
            return await cascade.decide(UNSURE), loop.time() - start

        found = await asyncio.gather(*(one() for _ in range(count)))
        return [decision for decision, _ in found], [seconds for _, seconds in found], cascade

    return virtual.run(work())


def test_a_sure_student_asks_nobody(clf: Classifier) -> None:
    llm = Script(clf.labels)

    async def work() -> list[Decision]:
        async with Cascade(clf, llm) as cascade:
            return [await cascade.decide(text) for text in (SURE, "", "🙂")]

    sure, *nothing = virtual.run(work())
    assert (sure.source, sure.labels, llm.asked) == ("student", clf(SURE).labels, 0)
    assert all(decision.source == "default" and not decision.degraded for decision in nothing)


def test_the_teacher_decides_where_the_student_is_unsure(clf: Classifier) -> None:
    (decision,), (seconds,), _ = timed(clf, Script(clf.labels))
    assert decision.labels == {head.name: head.names[-1] for head in clf.labels.heads}
    assert (decision.source, decision.degraded, decision.sure) == ("teacher", False, True)
    assert seconds == pytest.approx(0.01)
    assert decision.probabilities.keys() == decision.labels.keys()


ERRORS = [
    LlmError("server", "down"), ValueError("a bug"), ConnectionResetError(), TimeoutError(),
    ExceptionGroup("several", [ValueError()]),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_a_failing_llm_leaves_the_students_guess(clf: Classifier, error: Exception) -> None:
    outcomes: list[str] = []
    (decision,), (seconds,), _ = timed(clf, Script(clf.labels, error=error), observe=outcomes.append)
    assert (decision.source, decision.degraded, decision.labels) == ("student", True, clf(UNSURE).labels)
    assert seconds == pytest.approx(0.01)
    assert outcomes == ["failed"]


def test_past_the_deadline_the_guess_stands_and_the_call_is_cancelled(clf: Classifier) -> None:
    outcomes: list[str] = []
    llm = Script(clf.labels, seconds=21.0, stubborn=5.0)
    (decision,), (seconds,), _ = timed(clf, llm, observe=outcomes.append)
    assert (decision.degraded, outcomes, llm.cancelled) == (True, ["late"], 1)
    assert seconds <= DEADLINE


LIES: list[Callable[[Said], Said]] = [
    lambda said: Said([[float("nan") for _ in row] for row in said.table]),
    lambda said: Said([[1.0 for _ in row] for row in said.table]),
    lambda said: Said([row[:-1] for row in said.table]),
    lambda said: Said([*said.table, said.table[0]]),
    lambda said: Said([[-1.0, 2.0, *[0.0] * (len(row) - 2)] for row in said.table]),
    lambda said: Said([]),
    lambda said: Said(said.table, mass=0.01),
    lambda said: Said(said.table, mass=float("nan")),
]


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_no_distribution_is_none(clf: Classifier, lie: Callable[[Said], Said]) -> None:
    (decision,), _, _ = timed(clf, Script(clf.labels, said=lie(last_classes(clf.labels))))
    assert (decision.source, decision.degraded) == ("student", True)


def test_no_more_than_so_many_are_asked_and_nobody_queues(clf: Classifier) -> None:
    llm = Script(clf.labels, seconds=0.03)
    outcomes: Counter[str] = Counter()
    decisions, seconds, _ = timed(clf, llm, count=50, in_flight=4, observe=lambda outcome: outcomes.update([outcome]))
    assert (llm.most, llm.asked, outcomes) == (4, 4, Counter(busy=46, answered=4))
    assert sorted(seconds)[:46] == [0.0] * 46
    assert sum(decision.degraded for decision in decisions) == 46


def test_an_outage_adds_nothing_once_the_breaker_is_open(clf: Classifier) -> None:
    llm = Script(clf.labels, seconds=0.43)

    async def work() -> tuple[list[float], int, list[Decision]]:
        loop, taken, decisions = asyncio.get_running_loop(), [], []
        async with Cascade(clf, llm, DEADLINE, breaker=Breaker(least=10, open_for=5, clock=loop.time)) as cascade:
            for _ in range(2000):
                start = loop.time()
                decisions.append(await cascade.decide(UNSURE))
                taken.append(loop.time() - start)
                await asyncio.sleep(0.01)
            asked = llm.asked
            llm.seconds = 0.01
            await asyncio.sleep(5)
            decisions.append(await cascade.decide(UNSURE))
            await asyncio.sleep(1)
            decisions.append(await cascade.decide(UNSURE))
        return taken, asked, decisions

    taken, asked, decisions = virtual.run(work())
    assert max(taken) <= DEADLINE
    assert taken[10:] == [0.0] * 1990, "not even the probe makes anybody wait"
    assert 10 + 3 <= asked <= 10 + 4, "one probe in five seconds"
    assert decisions[-2].degraded
    assert decisions[-1].source == "teacher", "the probe beside a decision closed the breaker"


def test_a_caller_that_leaves_cancels_the_call_and_says_nothing_of_the_llm(clf: Classifier) -> None:
    llm = Script(clf.labels, seconds=1.0)

    async def work() -> str:
        async with Cascade(clf, llm, 10.0, breaker=Breaker(least=1)) as cascade:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(cascade.decide(UNSURE), 0.01)
            return cascade.lanes[0].breaker.state

    assert virtual.run(work()) == "closed"
    assert llm.cancelled == llm.asked == 20


def test_the_hedge_is_asked_when_the_first_is_slow_and_the_slower_one_is_cancelled(clf: Classifier) -> None:
    first, second = Script(clf.labels, seconds=0.045), Script(clf.labels, seconds=0.01)
    (decision,), (seconds,), cascade = timed(clf, first, hedge=second, hedge_after=0.02)
    assert (decision.source, first.cancelled, second.asked) == ("teacher", 1, 1)
    assert seconds == pytest.approx(0.03)
    assert [lane.breaker.state for lane in cascade.lanes] == ["closed", "closed"]


def test_the_hedge_stands_in_at_once_for_a_first_that_fails_or_is_left_alone(clf: Classifier) -> None:
    failing = Script(clf.labels, seconds=0.001, error=LlmError("server", "down"))
    (decision,), (seconds,), _ = timed(clf, failing, hedge=Script(clf.labels), hedge_after=0.02)
    assert decision.source == "teacher"
    assert seconds == pytest.approx(0.011)
    alone = Breaker(least=1)
    if permit := alone.permit():
        permit.failed()
    never = Script(clf.labels)
    (decision,), (seconds,), _ = timed(clf, never, breaker=alone, hedge=Script(clf.labels))
    assert (decision.source, never.asked) == ("teacher", 0)
    assert seconds == pytest.approx(0.01)


def test_a_first_that_always_loses_is_found_out(clf: Classifier) -> None:
    """A call that has lost the race goes on to its deadline, so that its breaker learns of it."""
    first, second = Script(clf.labels, seconds=9.0), Script(clf.labels, seconds=0.01)

    async def work() -> list[float]:
        loop, taken = asyncio.get_running_loop(), []
        breaker = Breaker(least=10, clock=loop.time)
        async with Cascade(clf, first, DEADLINE, hedge=second, hedge_after=0.02, breaker=breaker) as cascade:
            for _ in range(30):
                start = loop.time()
                assert (await cascade.decide(UNSURE)).source == "teacher"
                taken.append(loop.time() - start)
                await asyncio.sleep(0.1)
        assert cascade.lanes[1].breaker.state == "closed"
        return taken

    taken = virtual.run(work())
    assert taken[:10] == pytest.approx([0.03] * 10)
    assert taken[10:] == pytest.approx([0.01] * 20)


def test_a_hedge_that_was_asked_too_late_is_not_blamed(clf: Classifier) -> None:
    first, second = Script(clf.labels, seconds=9.0), Script(clf.labels, seconds=0.03)
    _, _, cascade = timed(clf, first, hedge=second, hedge_after=0.04, hedge_breaker=Breaker(least=1))
    assert (second.asked, cascade.lanes[1].breaker.state) == (1, "closed")


def test_a_probe_counts_as_one_call_until_it_has_ended(clf: Classifier) -> None:
    llm = Script(clf.labels, seconds=9.0, stubborn=1.0)
    breaker = Breaker(least=1, open_for=0)
    if permit := breaker.permit():
        permit.failed()
    timed(clf, llm, count=20, in_flight=1, breaker=breaker)
    assert llm.most == 1


def test_a_hedge_on_the_same_server_is_refused(clf: Classifier) -> None:
    llm = Script(clf.labels)
    with pytest.raises(ValueError, match="another server"):
        Cascade(clf, llm, hedge=llm)


def test_wrong_types_are_refused_as_by_a_classifier(clf: Classifier) -> None:
    async def work() -> None:
        async with Cascade(clf, Script(clf.labels)) as cascade:
            with pytest.raises(InputError, match="utterance must be str"):
                await cascade.decide(3)  # type: ignore[arg-type]

    virtual.run(work())


ENDS: list[Exception | None] = [
    None,
    LlmError("server", "down"),
    LlmError("overload", "busy", retry_after=3),
    ValueError("x"),
]


@given(
    st.lists(st.tuples(st.floats(0, 0.2), st.sampled_from(ENDS), st.floats(0, 0.1)), min_size=1, max_size=40),
    st.booleans(),
)
def test_the_answer_is_never_late_and_never_missing(
    clf: Classifier, calls: list[tuple[float, Exception | None, float]], hedged: bool
) -> None:
    """LLMs of any speed and fate, turns at any pace."""
    todo = iter(calls * 2)

    class Fate(Script):
        async def __call__(self, turn: Turn) -> Said:
            self.seconds, self.error, _ = next(todo, (0.3, None, 0.0))
            seconds, error = self.seconds, self.error
            await asyncio.sleep(seconds)
            if error:
                raise error
            return last_classes(self.labels)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        breakers = [Breaker(least=3, open_for=0.5, clock=loop.time) for _ in range(2)]
        hedge = Fate(clf.labels) if hedged else None
        cascade = Cascade(
            clf, Fate(clf.labels), DEADLINE, breaker=breakers[0], hedge=hedge, hedge_breaker=breakers[1], in_flight=3
        )

        async def one() -> None:
            start = loop.time()
            decision = await cascade.decide(UNSURE)
            assert loop.time() - start <= DEADLINE + 1e-9
            assert decision.degraded == (decision.source == "student")
            assert not clf.labels.conflicts(decision.labels)

        async with asyncio.TaskGroup() as group:
            for _, _, pause in calls:
                group.create_task(one())
                await asyncio.sleep(pause)
        await cascade.aclose()

    virtual.run(work())
