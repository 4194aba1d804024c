"""The label set: the default one is sound, and every mistake is named by head, class and line."""

from pathlib import Path

import pytest

from tests.conftest import SMALL_LABELS
from tinyclf import LabelSetError, default_labels, read_labels
from tinyclf.labelset import Look
from tinyclf.llm.prompt import Prompt


def test_default_label_set_is_sound() -> None:
    labels = default_labels()
    assert not labels.conflicts(labels.default)
    assert labels.rules
    assert labels.guards
    for head in labels.heads:
        assert all(cls.definition for cls in head.classes)
        # A head that gives the face gives one for each class, and no two alike; hints come in the same languages.
        looks = [cls.look for cls in head.classes if cls.look]
        assert len(looks) in (0, len(head.classes))
        assert len(set(looks)) == len(looks)
        assert all(set(cls.hint) == {"vi", "en"} for cls in head.classes if cls.hint)
    classes = [cls for head in labels.heads for cls in head.classes]
    assert sum(cls.sparkle for cls in classes) == 1
    assert all(cls.hint for cls in classes if cls.look or cls.sparkle)


def test_a_class_says_how_it_looks_and_sounds(tmp_path: Path) -> None:
    said = (
        'look = { brow = -0.5, open = 1 }\nsparkle = true\nhint = { en = "Be warm.", zh-Hant = "溫柔一點。" }',
        'look = {}\nhint.vi = """\nNói thật\n  dịu dàng.\n"""',
    )
    text = SMALL_LABELS
    for name, lines in zip(("soup", "cake"), said, strict=True):
        text = text.replace(f'name = "{name}"', f'name = "{name}"\n{lines}', 1)
    path = tmp_path / "labels.toml"
    path.write_text(text, encoding="utf-8")
    soup, cake, none = read_labels(path).head("dish").classes
    assert (soup.look, soup.sparkle) == (Look(eyes=0.6, brow=-0.5, mouth=0.0, open=1.0), True)
    assert soup.hint == {"en": "Be warm.", "zh-Hant": "溫柔一點。"}
    assert (cake.look, cake.sparkle, cake.hint) == (Look(), False, {"vi": "Nói thật dịu dàng."})
    assert (none.look, none.sparkle, none.hint) == (None, False, {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("look = { eyes = 1.5 }", "look: 'eyes' must be a number from 0 to 1, not 1.5"),
        ("look = { brow = -2 }", "look: 'brow' must be a number from -1 to 1, not -2"),
        ("look = { mouth = nan }", "look: 'mouth' must be a number from -1 to 1, not nan"),
        ("look = { open = true }", "look: 'open' must be a number from 0 to 1, not True"),
        ('look = { open = "wide" }', "look: 'open' must be a number from 0 to 1, not 'wide'"),
        ("look = { nose = 0.5 }", "look: unknown key 'nose'; known are eyes, brow, mouth, open"),
        ('look = "smiling"', "'look' must be a table, such as look = { ... }"),
        ('sparkle = "yes"', "'sparkle' must be true or false, not 'yes'"),
        ('hint = "Be warm."', "'hint' must be a table, such as hint = { ... }"),
        ("hint = { vi = 7 }", "hint: 'vi' must be text"),
        ('hint = { vi = " " }', "hint: 'vi' is blank"),
        ('hint = { vi_VN = "Nhẹ nhàng." }', "hint: 'vi_VN' is no language tag"),
    ],
)
def test_a_mistake_in_how_a_class_looks_or_sounds_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(SMALL_LABELS.replace('name = "cake"', f'name = "cake"\n{line}', 1), encoding="utf-8")
    with pytest.raises(LabelSetError) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}:9: head 'dish': class 'cake': {said}")


TWIN = '[[guards]]\nname = "hiding milk"\nnever = { dish = "cake" }\nwhen = { allergens = "milk" }\n\n'


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
        ("[[examples]]", f"{TWIN}[[examples]]", 31, "guard 'hiding milk' stands twice"),
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


RULED = """
[[rules]]
when = "a dish is asked for"
then = { dish = ["soup", "cake"], allergens = ["nuts", "milk"] }
rulings = ["Porridge is a soup.", "A pie is a cake."]

[[rules]]
when = "everything else"
then = { dish = "none" }
"""


def test_rulings_stand_with_their_rule_and_reach_the_teacher(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(SMALL_LABELS + RULED, encoding="utf-8")
    labels = read_labels(path)
    assert [rule.rulings for rule in labels.rules] == [("Porridge is a soup.", "A pie is a cake."), ()]
    told = Prompt(labels).line(labels.heads)
    assert told.index("a dish is asked for") < told.index("Porridge is a soup.") < told.index("everything else")
    path.write_text(SMALL_LABELS + RULED.replace('["Porridge is a soup.", "A pie is a cake."]', '"Porridge"'), "utf-8")
    with pytest.raises(LabelSetError, match=r"labels.toml:35: 'rulings' must be a list of texts"):
        read_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelSetError, match=r"nowhere\.toml"):
        read_labels(tmp_path / "nowhere.toml")
