"""The circuit breaker, on a clock of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyclf import Breaker
from tinyclf.breaker import Permit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def granted(breaker: Breaker) -> Permit:
    permit = breaker.permit()
    assert permit
    return permit


def opened(clock: Clock, open_for: float = 5.0) -> Breaker:
    breaker = Breaker(least=4, open_for=open_for, clock=clock)
    for _ in range(4):
        granted(breaker).failed()
    assert breaker.state == "open"
    return breaker


def test_it_opens_at_the_rate_of_failures_and_not_before_enough_are_known(clock: Clock) -> None:
    breaker = Breaker(failure_rate=0.5, least=10, clock=clock)
    for failed in (True,) * 9:
        granted(breaker).failed() if failed else granted(breaker).succeeded()
    assert breaker.state == "closed"
    granted(breaker).failed()
    assert (breaker.state, breaker.opened, breaker.permit()) == ("open", 1, None)


def test_fewer_failures_than_the_rate_leave_it_closed(clock: Clock) -> None:
    breaker = Breaker(failure_rate=0.5, clock=clock)
    for i in range(300):
        granted(breaker).failed() if i % 5 in (2, 3) else granted(breaker).succeeded()
    assert breaker.state == "closed"


def test_old_outcomes_are_forgotten(clock: Clock) -> None:
    breaker = Breaker(least=4, window=30, clock=clock)
    for _ in range(3):
        granted(breaker).failed()
    clock.now += 31
    granted(breaker).failed()
    assert breaker.state == "closed"


def test_one_probe_at_a_time_and_its_success_closes(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 4.9
    assert breaker.permit() is None
    clock.now += 0.1
    half_open = breaker.state
    assert half_open == "half-open"
    probe = granted(breaker)
    assert probe.probe
    assert [breaker.permit() for _ in range(20)] == [None] * 20
    probe.succeeded()
    assert breaker.state == "closed"
    granted(breaker).failed()
    assert breaker.state == "closed", "old failures do not count against a backend that is back"


def test_a_failed_probe_opens_it_anew(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 5
    granted(breaker).failed()
    assert (breaker.state, breaker.opened) == ("open", 2)
    clock.now += 4.9
    assert breaker.permit() is None


def test_a_probe_that_is_given_up_tells_nothing_and_the_next_call_probes(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 5
    granted(breaker).given_up()
    assert granted(breaker).probe


def test_calls_that_are_given_up_are_neutral(clock: Clock) -> None:
    breaker = Breaker(least=4, clock=clock)
    for _ in range(100):
        granted(breaker).given_up()
    for _ in range(3):
        granted(breaker).failed()
    assert breaker.state == "closed"


def test_what_began_before_it_opened_says_nothing_after(clock: Clock) -> None:
    breaker = Breaker(least=4, open_for=5, clock=clock)
    early = [granted(breaker) for _ in range(8)]
    for permit in early[:4]:
        permit.failed()
    clock.now += 5
    granted(breaker).succeeded()
    for permit in early[4:]:
        permit.failed()
    assert breaker.state == "closed"


def test_a_server_that_asks_to_be_left_alone_is(clock: Clock) -> None:
    breaker = Breaker(open_for=5, clock=clock)
    granted(breaker).failed(wait=20)
    clock.now += 19
    assert breaker.permit() is None
    clock.now += 1
    granted(breaker).failed(wait=1e9)
    clock.now += 60
    assert granted(breaker).probe, "a minute at most"


def test_a_hopeless_failure_opens_it_at_once_and_a_rate_above_1_never(clock: Clock) -> None:
    breaker, never = Breaker(clock=clock), Breaker(failure_rate=2, clock=clock)
    granted(breaker).failed(hopeless=True)
    assert breaker.state == "open"
    for _ in range(100):
        granted(never).failed(wait=9, hopeless=True)
    assert never.state == "closed"


def test_a_permit_counts_once(clock: Clock) -> None:
    breaker = Breaker(least=4, clock=clock)
    permit = granted(breaker)
    for _ in range(10):
        permit.failed()
    assert breaker.state == "closed"


@pytest.mark.parametrize("wrong", [{"failure_rate": 0}, {"least": 0}, {"least": 10_000}, {"window": 0}])
def test_senseless_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Breaker(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from(["ask", "good", "bad", "given up", "wait"]), st.floats(0, 20)), max_size=200))
def test_whatever_happens_at_most_one_probe_is_under_way(events: list[tuple[str, float]]) -> None:
    clock = Clock()
    breaker, running = Breaker(least=3, open_for=5, clock=clock), list[Permit]()
    for event, seconds in events:
        if event == "wait":
            clock.now += seconds
        elif event == "ask":
            state = breaker.state
            if permit := breaker.permit():
                running.append(permit)
                assert permit.probe == (state == "half-open")
            else:
                assert state != "closed"
        elif running:
            permit = running.pop(int(seconds * 7) % len(running))
            {"good": permit.succeeded, "bad": permit.failed, "given up": permit.given_up}[event]()
        assert sum(permit.probe for permit in running) <= 1
