"""Figures against known values, and the promise of an operating point."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyclf import LabelSet, default_labels
from tinyclf.calibration import calibration_error, temperature
from training.calibrate import PRICE, calibrate, sure_threshold
from training.metrics import coverage_curve, macro_f1, trials_needed, upper_bound
from training.probabilities import probabilities
from training.risk import Risk, last_proved, measure


@pytest.mark.parametrize(
    ("errors", "trials", "bound"), [(0, 299, 0.00997), (0, 10, 0.2589), (1, 100, 0.04656), (5, 5, 1.0), (0, 0, 1.0)]
)
def test_clopper_pearson_against_tables(errors: int, trials: int, bound: float) -> None:
    assert upper_bound(errors, trials) == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize("bound", [0.005, 0.01, 0.02, 0.1])
def test_trials_needed_is_the_least_number_that_proves_the_bound(bound: float) -> None:
    needed = trials_needed(bound)
    assert upper_bound(0, needed) <= bound < upper_bound(0, needed - 1)


@given(st.integers(1, 300), st.floats(0.001, 0.3), st.integers(0, 2**32 - 1))
def test_the_bound_covers_the_true_rate_at_least_95_percent_of_the_time(trials: int, rate: float, seed: int) -> None:
    errors = np.random.default_rng(seed).binomial(trials, rate, 500)
    covered = np.mean([upper_bound(int(e), trials) >= rate for e in errors])
    assert covered >= 0.92  # 0.95 less three standard errors of 500 draws


def test_the_path_is_walked_from_the_strictest_on() -> None:
    path = [
        Risk(0.9, 0.1, 0, 300, 0.6),
        Risk(0.8, 0.1, 1, 300, 0.7),
        Risk(0.7, 0.1, 0, 300, 0.8),
        Risk(0.7, 0.2, 3, 300, 0.9),
    ]
    assert last_proved(path, 0.012).gate == 0.9  # 0.8 fails, so 0.7 is never looked at
    assert last_proved(path, 0.02) is path[2]
    assert last_proved(path, 0.03) is path[3]
    assert last_proved(path, 0.03, spare=1) is path[2]
    assert last_proved(path, 0.012, spare=1) is path[0]


def test_too_little_data_is_said() -> None:
    few = [Risk(0.9, 0.1, 0, 20, 0.5), Risk(0.5, 1.0, 0, 20, 0.9)]
    promise = last_proved(few, 0.02).promise(0.02)
    assert promise["gate"] == 0.9
    assert promise["limit"] == 0.1
    assert not promise["holds"]
    assert promise["families_needed"] == 149


def test_calibration_error_of_known_cases() -> None:
    confidence = np.array([0.9] * 10)
    assert calibration_error(confidence, np.array([True] * 9 + [False])) == pytest.approx(0, abs=1e-9)
    assert calibration_error(confidence, np.zeros(10, dtype=bool)) == pytest.approx(0.9)


def test_coverage_takes_the_surest_first() -> None:
    curve = coverage_curve(np.array([0.9, 0.2, 0.8, 0.1]), np.array([True, False, True, False]), (0.5, 1.0))
    assert curve == {"0.5": 1.0, "1": 0.5}


def test_macro_f1_ignores_classes_that_do_not_occur() -> None:
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])) == 1.0
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])) == pytest.approx(1 / 3)


def test_temperature_undoes_overconfidence(kitchen: LabelSet) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    goals = np.eye(3)[[rng.choice(3, p=row) for row in p]]
    assert temperature(logits * 3, goals, one_of=True) == pytest.approx(3, rel=0.1)


def test_the_sure_threshold_reaches_the_wanted_accuracy(kitchen: LabelSet) -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([0.4] * 3, size=3000)
    goals = np.eye(3)[[rng.choice(3, p=row) for row in p]]
    threshold = sure_threshold(kitchen.heads[0], p, goals, 0.9)
    taken = p.max(1) >= threshold
    assert (p.argmax(1) == goals.argmax(1))[taken].mean() >= 0.9
    assert 0.1 < taken.mean() < 1


def test_two_signs_make_a_guarded_mistake_rarer_at_little_cost() -> None:
    labels = default_labels()
    guard = labels.guards[0]
    first, second = labels.heads
    rng = np.random.default_rng(3)
    told = rng.integers(0, len(first.names), 4000)
    grave = [first.names.index(name) for _, name in guard.when]
    cheered = [rule.then[first.name] for rule in labels.rules if rule.then[second.name] == guard.never[1:]]
    merry = [i for i, name in enumerate(first.names) if any(name in names for names in cheered)]
    yes = np.isin(told, merry)
    goals = {first.name: np.eye(len(first.names))[told], second.name: np.stack([yes, ~yes], 1).astype(float)}
    torn = np.isin(told, grave) & (rng.random(4000) < 0.2)  # grave in merry words: one head is fooled, the other torn
    heard = 4 * goals[first.name] + rng.normal(size=goals[first.name].shape)
    heard[:, merry] += 4 * torn[:, None]
    cheer = np.where(yes | torn, 2.0, -2.0) + rng.normal(size=4000)
    logits = {first.name: heard, second.name: np.stack([cheer, -cheer], 1)}
    families = [str(i) for i in range(4000)]
    found = calibrate(labels, logits, goals, families)
    made = probabilities(labels, logits, found.temperatures)
    balanced, careful = (
        measure(labels, guard, made, goals, families, found.points[name]) for name in ("balanced", "careful")
    )
    alone = measure(labels, guard, made, goals, families, replace(found.points["balanced"], limits={}))
    assert balanced.mistakes < alone.mistakes / 2
    assert balanced.f1 >= alone.f1 - PRICE
    assert careful.mistakes < balanced.mistakes


def test_heads_and_rows_without_labels_are_left_out(kitchen: LabelSet) -> None:
    rng = np.random.default_rng(2)
    logits = {"dish": rng.normal(size=(50, 3)), "allergens": rng.normal(size=(50, 2))}
    goals = {"dish": np.eye(3)[rng.integers(0, 3, 50)], "allergens": np.full((50, 2), np.nan)}
    goals["dish"][:10] = np.nan
    found = calibrate(kitchen, logits, goals, [str(i) for i in range(50)])
    assert found.temperatures["allergens"] == 1.0
    assert found.points["careful"].promise["hiding milk"]["families"] == 0
    assert not found.points["careful"].promise["hiding milk"]["holds"]


def test_nothing_to_calibrate_on_promises_nothing(kitchen: LabelSet) -> None:
    empty = {head.name: np.zeros((0, len(head.names))) for head in kitchen.heads}
    found = calibrate(kitchen, empty, empty, [])
    assert not found.points["careful"].promise["hiding milk"]["holds"]
