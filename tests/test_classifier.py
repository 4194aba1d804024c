"""The classifier as an engineer embeds it."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_encode import ANY_TEXT
from tinyclf import Classifier, Decision, InputError, Turn

TURNS = [
    Turn("con làm được rồi"),
    Turn("bằng năm", previous="Hai cộng ba bằng mấy?"),
    Turn("con voi ăn cỏ", reply="Đúng rồi, con giỏi lắm!"),
    Turn("i am sad because my dog is sick"),
    Turn("a"),
    Turn(""),
    Turn("teacher mắng con nên con cry " * 30, previous="Hôm nay con thế nào?" * 20, reply="Ôi, thương con quá!" * 20),
]


def decide(clf: Classifier, turn: Turn) -> Decision:
    return clf(turn.utterance, turn.previous, turn.reply)


def test_the_wire_form(clf: Classifier) -> None:
    decision = clf("con làm được rồi")
    assert decision.to_json() == '{"soll_emotion": "proud", "soll_celebrate": "yes"}'
    assert decision.source == "student"
    assert decision["soll_celebrate"] == "yes"
    assert 0 < decision.confidence <= 1
    assert decision.microseconds > 0


def test_the_examples_of_the_label_set_that_decide_quality(clf: Classifier) -> None:
    wrong = [
        example.turn.utterance
        for example in clf.labels.examples
        if not example.turn.previous and decide(clf, example.turn).labels != example.labels
    ]
    assert len(wrong) <= len(clf.labels.examples) * 0.25, wrong


def test_distress_in_the_examples_is_never_celebrated(clf: Classifier) -> None:
    guard = clf.labels.guards[0]
    for example in clf.labels.examples:
        if any(example.labels[head] == name for head, name in guard.when):
            assert decide(clf, example.turn)[guard.never[0]] != guard.never[1], example.turn


def test_probabilities_are_distributions(clf: Classifier) -> None:
    for turn in TURNS:
        for row in decide(clf, turn).probabilities.values():
            assert sum(row.values()) == pytest.approx(1, abs=1e-5)


def test_context_changes_the_decision(clf: Classifier) -> None:
    praised = clf("con voi ăn cỏ", reply="Đúng rồi, con giỏi lắm!")
    corrected = clf("con voi ăn cỏ", reply="Gần đúng rồi, mình thử lại nhé.")
    assert praised.labels != corrected.labels


def test_a_batch_decides_as_single_calls_do(clf: Classifier) -> None:
    for alone, batched in zip([decide(clf, turn) for turn in TURNS], clf.batch(TURNS), strict=True):
        assert (alone.labels, alone.source) == (batched.labels, batched.source)
        for head, row in alone.probabilities.items():
            assert batched.probabilities[head] == pytest.approx(row, abs=1e-5)
    assert clf.batch([]) == []
    assert clf.batch(["con làm được rồi"])[0].labels == clf("con làm được rồi").labels


def test_many_threads_get_the_same_decisions(clf: Classifier) -> None:
    expected = [decide(clf, turn).labels for turn in TURNS]
    wrong: list[object] = []

    def work() -> None:
        for _ in range(200):
            wrong.extend(
                turn for turn, labels in zip(TURNS, expected, strict=True) if decide(clf, turn).labels != labels
            )

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\x00", "…", "🦖", "\udfff"])
def test_nothing_to_decide_on_gives_the_default(clf: Classifier, blank: str) -> None:
    decision = clf(blank)
    assert decision.source == "default"
    assert decision.labels == clf.labels.default
    assert (decision.confidence, decision.sure) == (0.0, False)
    assert json.loads(decision.to_json()) == clf.labels.default


def test_a_very_long_text_gets_a_decision(clf: Classifier) -> None:
    assert clf("con vui quá " * 10_000, previous="à " * 50_000).source == "student"


def test_wrong_types_raise_one_error(clf: Classifier) -> None:
    with pytest.raises(InputError, match="utterance must be str, got NoneType"):
        clf(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="utterance must be str, got int"):
        clf.batch(["con", 3])  # type: ignore[list-item]


def test_careful_is_stricter_than_balanced(clf: Classifier) -> None:
    careful = Classifier.load(point="careful")
    guard = clf.labels.guards[0]
    head, name = guard.never
    assert careful.point.gates[head][name] >= clf.point.gates[head][name]
    assert careful.point.limits[guard.name] <= clf.point.limits[guard.name] <= 1
    assert careful.point.sure[head] >= clf.point.sure[head]


def test_limits_bind_the_student_alone() -> None:
    careful = Classifier.load(point="careful")
    guard, (first, second) = careful.labels.guards[0], careful.labels.heads
    never, grave = second.names.index(guard.never[1]), first.names.index(guard.when[0][1])
    merry = next(rule.then[first.name][0] for rule in careful.labels.rules if rule.then[second.name] == guard.never[1:])
    emotion = [0.05 if i == grave else 0.95 if name == merry else 0.0 for i, name in enumerate(first.names)]
    celebrate = [0.999 if i == never else 0.001 for i in range(2)]
    assert careful.decided([emotion, celebrate]).labels[second.name] != guard.never[1]
    assert careful.decided([emotion, celebrate], "teacher").labels[second.name] == guard.never[1]


@given(ANY_TEXT, ANY_TEXT, st.one_of(st.just(""), ANY_TEXT))
def test_any_text_gets_a_compatible_decision(clf: Classifier, utterance: str, previous: str, reply: str) -> None:
    decision = clf(utterance, previous, reply)
    assert set(decision.labels) == {head.name for head in clf.labels.heads}
    assert not clf.labels.conflicts(decision.labels)
    assert decision.source in ("student", "default")
