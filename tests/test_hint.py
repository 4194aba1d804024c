"""The hint for the LLM that writes the answer: the chosen classes, in the wanted language or the nearest one."""

from pathlib import Path

import pytest

from tests.conftest import SMALL_LABELS
from tinyclf import Classifier, LabelSet, default_labels, read_labels
from tinyclf.hint import hint


@pytest.fixture
def menu(tmp_path: Path) -> LabelSet:
    """The kitchen label set, with hints for some classes of both heads."""
    hints = {
        "soup": 'hint = { en = "Warm them up.", vi = "Làm ấm lòng." }',
        "nuts": 'hint = { en = "Mind the nuts.", pt-BR = "Cuidado com as nozes." }',
        "milk": 'hint.vi = """\nCó\n  sữa.\n"""',
    }
    text = SMALL_LABELS
    for name, line in hints.items():
        text = text.replace(f'name = "{name}"', f'name = "{name}"\n{line}')
    (tmp_path / "labels.toml").write_text(text, encoding="utf-8")
    return read_labels(tmp_path / "labels.toml")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("vi", "Làm ấm lòng. Mind the nuts. Có sữa."),  # nuts have no Vietnamese hint
        ("vi-VN", "Làm ấm lòng. Mind the nuts. Có sữa."),
        ("VI_vn", "Làm ấm lòng. Mind the nuts. Có sữa."),
        ("pt-br", "Warm them up. Cuidado com as nozes."),
        ("pt", "Warm them up. Mind the nuts."),  # more general than the one there is
        ("en-GB-oxendict", "Warm them up. Mind the nuts."),
        ("", "Warm them up. Mind the nuts."),
    ],
)
def test_hints_of_all_heads_in_the_nearest_language(menu: LabelSet, language: str, said: str) -> None:
    assert hint(menu, {"dish": "soup", "allergens": ("milk", "nuts")}, language) == said


def test_classes_and_label_sets_without_hints_give_none(menu: LabelSet, kitchen: LabelSet) -> None:
    assert hint(menu, {"dish": "cake", "allergens": ()}) == ""
    assert hint(menu, {"dish": "cake", "allergens": ("nuts",)}) == "Mind the nuts."
    assert hint(menu, {"dish": "pie"}) == ""
    assert hint(kitchen, {"dish": "soup", "allergens": ("milk",)}) == ""


def test_the_bundle_that_ships_hints_at_every_decision_in_two_languages(clf: Classifier) -> None:
    assert clf.labels.heads == default_labels().heads
    for example in clf.labels.examples:
        turn = example.turn
        labels = clf(turn.utterance, turn.previous, turn.reply).labels
        chosen = clf.labels.chosen(labels)
        assert [cls.name for cls in chosen] == list(labels.values())
        for language in ("vi", "en"):
            wanted = [cls.hint[language] for cls in chosen if cls.hint]
            assert wanted
            assert hint(clf.labels, labels, language) == " ".join(wanted)
