"""Decoding: the most probable compatible labels, by brute force and by property."""

import itertools
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyclf import LabelSet, default_labels
from tinyclf.decode import Decoder
from tinyclf.joint import most_probable
from tinyclf.labelfile import parse_labels
from tinyclf.labelset import Labels
from tinyclf.operating import OperatingPoint

PROBABILITY = st.floats(0.001, 1)


def row(size: int) -> st.SearchStrategy[list[float]]:
    return st.lists(PROBABILITY, min_size=size, max_size=size).map(lambda xs: [x / sum(xs) for x in xs])


@given(row(10), row(2), st.floats(0, 1))
def test_incompatible_pairs_never_come_out(emotion: list[float], celebrate: list[float], gate: float) -> None:
    labels = default_labels()
    head, name = labels.guards[0].never
    decoder = Decoder(labels, OperatingPoint("test", gates={head: {name: gate}}))
    chosen, confidence, _ = decoder([emotion, celebrate])
    found = {h.name: h.names[c[0]] for h, c in zip(labels.heads, chosen, strict=True)}
    assert not labels.conflicts(found)
    assert confidence == min(emotion[chosen[0][0]], celebrate[chosen[1][0]])


@given(row(10), row(2))
def test_without_gates_the_most_probable_pair_of_a_rule_wins(emotion: list[float], celebrate: list[float]) -> None:
    labels = default_labels()
    chosen, _, _ = Decoder(labels, OperatingPoint("test"))([emotion, celebrate])
    first, second = labels.heads
    given = {pair for rule in labels.rules for pair in itertools.product(rule.then[first.name], rule.then[second.name])}
    allowed = [
        emotion[i] * celebrate[j]
        for i, j in itertools.product(range(10), range(2))
        if (first.names[i], second.names[j]) in given
    ]
    assert emotion[chosen[0][0]] * celebrate[chosen[1][0]] == pytest.approx(max(allowed))


def test_a_closed_gate_leaves_the_other_heads_as_they_are() -> None:
    labels = default_labels()
    head, name = labels.guards[0].never
    emotions = labels.heads[0].names
    ruled = next(rule.then for rule in labels.rules if rule.then[head] == (name,))[labels.heads[0].name][0]
    sure = [0.91 if emotion == ruled else 0.01 for emotion in emotions]
    for gate, answer in ((0.0, name), (0.99, labels.head(head).default)):
        chosen = Decoder(labels, OperatingPoint("test", gates={head: {name: gate}}))([sure, [0.9, 0.1]])[0]
        assert emotions[chosen[0][0]] == ruled
        assert labels.head(head).names[chosen[1][0]] == answer


@given(row(3), st.lists(PROBABILITY, min_size=2, max_size=2))
def test_any_of_heads_are_searched_with_the_others(
    kitchen: LabelSet, dish: list[float], allergens: list[float]
) -> None:
    chosen, _, _ = Decoder(kitchen, OperatingPoint("test"))([dish, allergens])
    names: Labels = {
        "dish": kitchen.heads[0].names[chosen[0][0]],
        "allergens": tuple(kitchen.heads[1].names[c] for c in chosen[1]),
    }
    assert not kitchen.conflicts(names)


def test_a_gate_closes_a_class_until_it_is_probable_enough(kitchen: LabelSet) -> None:
    decoder = Decoder(kitchen, OperatingPoint("test", gates={"dish": {"soup": 0.8}, "allergens": {"milk": 0.9}}))
    assert decoder([[0.7, 0.2, 0.1], [0.0, 0.85]])[0] == [(1,), ()]
    assert decoder([[0.9, 0.1, 0.0], [0.0, 0.95]])[0] == [(0,), (1,)]


def test_sure_means_every_head_reaches_its_threshold(kitchen: LabelSet) -> None:
    decoder = Decoder(kitchen, OperatingPoint("test", sure={"dish": 0.6, "allergens": 0.7}))
    for dish, milk, confidence, sure in ((0.7, 0.2, 0.7, True), (0.7, 0.4, 0.6, False), (0.5, 0.2, 0.5, False)):
        _, least, all_sure = decoder([[dish, 0.9 - dish, 0.1], [0.1, milk]])
        assert least == pytest.approx(confidence)
        assert all_sure is sure


@given(st.lists(st.lists(PROBABILITY, min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_branch_and_bound_equals_brute_force(choices: list[list[float]], data: st.DataObject) -> None:
    refs = [(h, c) for h, options in enumerate(choices) for c in range(len(options))]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(refs), st.sampled_from(refs)), max_size=5))
    banned: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for a, b in pairs:
        if a[0] != b[0]:
            banned.setdefault(a, set()).add(b)
            banned.setdefault(b, set()).add(a)
    found = most_probable([[(p, (h, c)) for c, p in enumerate(options)] for h, options in enumerate(choices)], banned)
    allowed = [
        prod(choices[h][c] for h, c in enumerate(combination))
        for combination in itertools.product(*(range(len(options)) for options in choices))
        if not any(b in banned.get(a, set()) for a, b in itertools.combinations(enumerate(combination), 2))
    ]
    if allowed:
        assert prod(choices[h][c] for h, c in found) == pytest.approx(max(allowed))
    else:
        assert found == []


@given(row(3), st.lists(PROBABILITY, min_size=2, max_size=2), st.floats(0, 1.1), st.floats(0, 1.1), st.floats(0, 1.1))
def test_gates_on_several_classes_are_never_passed_by(
    kitchen: LabelSet, dish: list[float], allergens: list[float], soup: float, cake: float, milk: float
) -> None:
    gates = {"dish": {"soup": soup, "cake": cake}, "allergens": {"milk": milk}}
    (served,), extras = Decoder(kitchen, OperatingPoint("test", gates=gates))([dish, allergens])[0]
    name = kitchen.heads[0].names[served]
    assert dish[served] >= gates["dish"].get(name, 0.0)
    assert all(allergens[c] >= gates["allergens"].get(kitchen.heads[1].names[c], 0.5) for c in extras)
    names: Labels = {"dish": name, "allergens": tuple(kitchen.heads[1].names[c] for c in extras)}
    assert not kitchen.conflicts(names)


def test_the_default_stands_when_gates_leave_nothing_compatible() -> None:
    table = {
        "name": "two",
        "heads": [
            {"name": "a", "default": "y", "classes": [{"name": "x"}, {"name": "y"}]},
            {"name": "b", "default": "no", "classes": [{"name": "yes"}, {"name": "no"}]},
        ],
        "incompatible": [{"a": "x", "b": "yes"}],
    }
    gates = {"a": {"y": 0.9}, "b": {"no": 0.9}}
    chosen, confidence, _ = Decoder(parse_labels(table), OperatingPoint("test", gates=gates))([[0.6, 0.4], [0.6, 0.4]])
    assert chosen == [(1,), (1,)]
    assert confidence == 0.4


def test_incompatible_pairs_stay_apart_when_the_rules_leave_no_other_answer() -> None:
    table = {
        "name": "contrary",
        "heads": [{"name": h, "default": "no", "classes": [{"name": "yes"}, {"name": "no"}]} for h in ("a", "b")],
        "rules": [{"when": str(then), "then": then} for then in ({"a": "yes", "b": "yes"}, {"a": "no"}, {"b": "no"})],
        "incompatible": [{"a": "yes", "b": "yes"}],
    }
    chosen = Decoder(parse_labels(table), OperatingPoint("test"))([[0.9, 0.1], [0.8, 0.2]])[0]
    assert chosen == [(0,), (1,)]


def test_a_limit_closes_a_class_while_what_its_guard_protects_is_too_probable(kitchen: LabelSet) -> None:
    decoder = Decoder(kitchen, OperatingPoint("test", limits={kitchen.guards[0].name: 0.3}))
    assert decoder([[0.9, 0.08, 0.02], [0.0, 0.2]])[0] == [(0,), ()]
    chosen, confidence, _ = decoder([[0.9, 0.08, 0.02], [0.0, 0.4]])
    assert chosen == [(1,), ()]
    assert confidence == 0.08


@given(row(10), row(2), st.floats(0, 1), st.floats(0, 0.6))
def test_no_limit_is_ever_passed_by(emotion: list[float], celebrate: list[float], limit: float, gate: float) -> None:
    labels = default_labels()
    guard = labels.guards[0]
    head, name = guard.never
    point = OperatingPoint("test", gates={head: {name: gate}}, limits={guard.name: limit})
    chosen = Decoder(labels, point)([emotion, celebrate])[0]
    found = {h.name: h.names[c[0]] for h, c in zip(labels.heads, chosen, strict=True)}
    risk = sum(
        p for n, p in zip(labels.heads[0].names, emotion, strict=True) if (labels.heads[0].name, n) in guard.when
    )
    assert found[head] != name or risk <= limit + 1e-12
    assert not labels.conflicts(found)


def guarded(never: dict[str, str], *when: dict[str, str | list[str]], heads: dict[str, str]) -> LabelSet:
    """A label set of heads with the classes x and y, and a guard for each ``when``."""
    classes = [{"name": "x"}, {"name": "y"}]
    return parse_labels(
        {
            "name": "guarded",
            "heads": [{"name": name, "kind": kind, "classes": classes} for name, kind in heads.items()],
            "guards": [{"name": f"{i}", "never": never, "when": then} for i, then in enumerate(when)],
        }
    )


def test_limits_close_classes_of_any_of_heads_too() -> None:
    labels = guarded({"b": "x"}, {"a": "x"}, heads={"a": "one-of", "b": "any-of"})
    decoder = Decoder(labels, OperatingPoint("test", limits={"0": 0.3}))
    assert decoder([[0.2, 0.8], [0.9, 0.9]])[0] == [(1,), (0, 1)]
    assert decoder([[0.4, 0.6], [0.9, 0.9]])[0] == [(1,), (1,)]


def test_a_guard_may_protect_several_heads_and_a_class_may_have_several_guards() -> None:
    heads = {"a": "one-of", "b": "any-of", "c": "one-of"}
    labels = guarded({"a": "x"}, {"b": ["x", "y"], "c": "x"}, {"c": "x"}, heads=heads)
    sure = [0.9, 0.1]
    for limits, any_of, last, chosen in (
        ({"0": 0.3}, [0.1, 0.4], 0.1, 1),
        ({"0": 0.3}, [0.1, 0.2], 0.2, 0),
        ({"0": 0.3}, [0.1, 0.2], 0.4, 1),
        ({"0": 0.9, "1": 0.1}, [0.1, 0.2], 0.2, 1),
    ):
        decoder = Decoder(labels, OperatingPoint("test", limits=limits))
        assert decoder([sure, any_of, [last, 1 - last]])[0][0] == (chosen,)


def test_what_a_class_is_guarded_from_may_stand_in_its_own_head() -> None:
    labels = guarded({"a": "x"}, {"a": "y"}, heads={"a": "one-of"})
    decoder = Decoder(labels, OperatingPoint("test", limits={"0": 0.3}))
    assert decoder([[0.8, 0.2]])[0] == [(0,)]
    assert decoder([[0.6, 0.4]])[0] == [(1,)]


def test_the_default_stands_even_where_its_own_gate_is_closed() -> None:
    table = {
        "name": "shut",
        "heads": [
            {"name": "a", "default": "y", "classes": [{"name": "x"}, {"name": "y"}, {"name": "z"}]},
            {"name": "b", "default": "no", "classes": [{"name": "yes"}, {"name": "no"}]},
        ],
        "incompatible": [{"a": "z", "b": ["yes", "no"]}],
    }
    gates = {"a": {"x": 0.9, "y": 0.9}, "b": {"no": 0.9}}
    decoder = Decoder(parse_labels(table), OperatingPoint("test", gates=gates))
    assert decoder([[0.6, 0.1, 0.3], [0.4, 0.6]])[0] == [(1,), (1,)]
