"""The label set: the default one is sound, and every mistake is named by head, class and line."""

from pathlib import Path

import pytest

from tests.conftest import SMALL_LABELS
from tinyclf import LabelSetError, default_labels, read_labels


def test_default_label_set_is_sound() -> None:
    labels = default_labels()
    assert not labels.conflicts(labels.default)
    assert labels.rules
    assert labels.guards
    for head in labels.heads:
        assert all(cls.definition for cls in head.classes)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('name = "cake"', 'name = "soup"', 9, "head 'dish': class 'soup' stands twice"),
        ('default = "none"', 'default = "pie"', 4, "head 'dish': default 'pie' is not one of its classes"),
        ('kind = "any-of"', 'kind = "some-of"', 14, "head 'allergens': kind must be 'one-of' or 'any-of'"),
        ('dish = "none"', 'dish = "pie"', 22, "head 'dish' has no class 'pie'"),
        ('dish = "none"', 'dishes = "none"', 22, "unknown head 'dishes'"),
        ('name = "nuts"', 'nome = "nuts"', 17, "unknown key 'nome'"),
        ('name = "nuts"', "name = 7", 17, "head 'allergens': class needs a name"),
        ('never = { dish = "soup" }', 'never = { dish = ["soup", "cake"] }', 26, "a guard names one class"),
        ('labels = { dish = "soup"', 'labels = { dish = 3, x = "soup"', 31, "head 'dish' has no class 3"),
        ("utterance = ", "uterance = ", 31, "unknown key 'uterance'"),
        ("allergens = [] }", 'allergens = ["milk"], dish = "none" }', 1, "not valid TOML"),
        ('dish = "soup", allergens = []', 'dish = "none", allergens = ["milk"]', 31, "declared incompatible"),
    ],
)
def test_a_mistake_is_named_by_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in SMALL_LABELS
    path = tmp_path / "labels.toml"
    path.write_text(SMALL_LABELS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LabelSetError) as caught:
        read_labels(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:" if "TOML" in said else f"{path}:{line}:")


def test_a_guard_cannot_forbid_the_default(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(SMALL_LABELS.replace('never = { dish = "soup" }', 'never = { dish = "none" }'), encoding="utf-8")
    with pytest.raises(LabelSetError, match=r"labels.toml:26: .* is the default"):
        read_labels(path)


def test_an_example_has_the_form_of_its_heads(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(SMALL_LABELS.replace('dish = "soup", allergens', 'dish = ["soup"], allergens'), encoding="utf-8")
    with pytest.raises(LabelSetError, match=r"labels.toml:31: head 'dish' is one-of: its label is a class name"):
        read_labels(path)


def test_a_class_without_a_rule_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    rule = '\n[[rules]]\nwhen = "broth"\nthen = { dish = ["soup", "none"], allergens = ["nuts", "milk"] }\n'
    path.write_text(SMALL_LABELS + rule, encoding="utf-8")
    with pytest.raises(LabelSetError, match=r"labels.toml:9: head 'dish': no rule gives class 'cake'"):
        read_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelSetError, match=r"nowhere\.toml"):
        read_labels(tmp_path / "nowhere.toml")
