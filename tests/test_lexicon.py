"""Word lists: read from a folder, and worth something to a student that never met the words."""

from pathlib import Path

import pytest
import torch

from tests.conftest import small_rows
from tinyclf import DataError, LabelSet, Turn
from tinyclf.encode import Encoder
from training.fit import fit
from training.kin import PAIR_FACTOR, kinship
from training.lexicon import LEXICON, Lexicon, read_lexicon
from training.rows import to_rows
from training.schedule import Schedule
from training.settings import Settings
from training.split import split_rows
from training.tokenizer import train_tokenizer


def lists(folder: Path, **classes: str) -> Path:
    for name, words in classes.items():
        place = folder / "xx" / f"{name}.txt"
        place.parent.mkdir(exist_ok=True)
        place.write_text(words.replace(", ", "\n") + "\n\n", encoding="utf-8")
    return folder


def test_an_entry_may_stand_in_several_classes(tmp_path: Path) -> None:
    found = read_lexicon(lists(tmp_path, sweet="Cake, pudding", baked="cake, bread"))
    assert found.classes == ("baked", "sweet")
    assert found.entries == {"cake": {0, 1}, "pudding": {1}, "bread": {0}}


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no word lists"):
        read_lexicon(tmp_path)
    (tmp_path / "sweet.txt").write_bytes(b"g\xe2teau\n")
    with pytest.raises(DataError, match=r"sweet\.txt: not UTF-8"):
        read_lexicon(tmp_path)


def test_ours_is_large_and_every_list_is_in_both_languages() -> None:
    found = read_lexicon()
    assert len(found.entries) > 10_000
    vi, en = ({file.stem for file in (LEXICON / lang).glob("*.txt")} for lang in ("vi", "en"))
    assert vi == en


def test_words_and_pairs_are_kin_in_each_segment() -> None:
    encoder = Encoder(train_tokenizer(["cake pie good luck", "the cake the pie"] * 20, 400))
    lexicon = Lexicon(("lucky", "sweet"), {"cake": frozenset({1}), "pie": frozenset({1}), "good luck": frozenset({0})})
    found = kinship(encoder, 5000, False, lexicon)
    assert found.meanings is not None
    cake, pie = (encoder(word)[1] for word in ("cake", "pie"))
    assert torch.equal(found.meanings[cake], torch.tensor([0.0, 1.0]))
    (features,) = found.features
    rows = features.rows[features.slots]
    for segment in range(3):
        shift = segment * encoder.vocabulary
        assert rows[cake + shift].tolist() == rows[pie + shift].tolist() == [2 + 2 * segment]
    _, good, luck, _ = encoder("good luck")
    assert rows[(good * PAIR_FACTOR - luck) % 5000].tolist() == [1]


def test_words_are_kin_by_their_letters() -> None:
    encoder = Encoder(train_tokenizer(["jumping jumped zzz"] * 40, 400))
    (features,) = kinship(encoder, 5000, True, None).features
    jumping, jumped, stranger = (
        {int(i) for i in features.rows[features.slots[encoder(word)[1]]] if i} for word in ("jumping", "jumped", "zzz")
    )
    assert jumping & jumped
    assert not jumping & stranger


def test_a_student_knows_words_that_no_row_has(tmp_path: Path, kitchen: LabelSet) -> None:
    """Of two words for a dish one stands in the rows; the other is known by the lexicon alone."""
    rows = to_rows(((f"x:{i}", row, "") for i, row in enumerate(small_rows(300))), kitchen).good
    splits = split_rows(rows)
    lexicon = read_lexicon(
        lists(tmp_path, cakes="cake, torte, muffin, pie, strudel", soups="soup, borscht, broth, chowder")
    )
    settings = Settings(dim=16, filters=16, members=1, schedule=Schedule(epochs=20, batch=8), augment=False)
    told = fit(kitchen, splits, settings, tmp_path / "told", lexicon=lexicon)
    given = told.predict([Turn("strudel please"), Turn("borscht please")])["dish"]
    names = kitchen.heads[0].names
    assert names[int(given[0].argmax())] == "cake"
    assert names[int(given[1].argmax())] == "soup"
