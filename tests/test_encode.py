"""Text to ids: normalisation, segments, truncation, and any text at all."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyclf import Classifier, InputError, LabelSet
from tinyclf.encode import PAD, PREVIOUS_IDS, REPLY_IDS, UTTERANCE_IDS, Encoder
from tinyclf.sources import read_records
from training.rows import to_rows
from training.tokenizer import texts_of, train_tokenizer

ANY_TEXT = st.text(st.characters(), max_size=300)


@pytest.fixture(scope="module")
def encoder(clf: Classifier) -> Encoder:
    return Encoder(clf.bundle.tokenizer)


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("Con LÀM được rồi!!!", "con làm được rồi"),
        (unicodedata.normalize("NFD", "Tiếng Việt rất đẹp, ạ"), "tiếng việt rất đẹp ạ"),
        ("hoà hòa thúy thuý", "hoà hoà thuý thuý"),
        ("vui\u200bquá\ufeff \x07nè", "vuiquá nè"),
        ("don’t  don't", "dont dont"),
        ("quaaaaaaaa", "quaa"),
        ("ｆｕｌｌ width", "full width"),
        ("2 + 3 = 5?", "2 + 3 = 5"),
        ("\t\n　", ""),
    ],
)
def test_normalisation(encoder: Encoder, typed: str, seen: str) -> None:
    assert encoder.normalise(typed) == seen


def test_ids_do_not_depend_on_how_text_is_composed(encoder: Encoder) -> None:
    text = "hôm nay con được điểm mười môn toán, thích ghê"
    assert encoder(unicodedata.normalize("NFD", text)) == encoder(text.upper()) == encoder(text)


def test_segments_have_their_own_blocks(encoder: Encoder) -> None:
    said, vocabulary = encoder("con làm được rồi")[1:-1], encoder.vocabulary
    ids = encoder("con làm được rồi", "con làm được rồi", "con làm được rồi")
    assert ids == [PAD, *[i + vocabulary for i in said], PAD, *said, PAD, *[i + 2 * vocabulary for i in said], PAD]


def test_truncation_keeps_the_end_of_the_utterance(encoder: Encoder) -> None:
    long = " ".join(f"chữ {i}" for i in range(5000)) + " con thắng rồi"
    ids = encoder(long, previous=long, reply="giỏi lắm " + long)
    assert len(ids) <= UTTERANCE_IDS + PREVIOUS_IDS + REPLY_IDS + 4
    said = [i for i in ids if PAD < i < encoder.vocabulary]
    end = encoder("con thắng rồi")[1:-1]
    assert said[-len(end) :] == end


def test_words_before_a_long_blank_end_are_seen(encoder: Encoder) -> None:
    assert encoder("con sợ ma" + " " * 2000) == encoder("con sợ ma")


def test_time_is_bounded_for_any_length(encoder: Encoder) -> None:
    def fastest(text: str) -> float:
        times = []
        for _ in range(50):
            start = time.perf_counter()
            encoder(text)
            times.append(time.perf_counter() - start)
        return min(times)

    text = "con thắng rồi " * 1000
    assert fastest(text * 1000) < 20 * fastest(text)


@pytest.mark.parametrize("blank", ["", "   ", "\u200b\u200d", "\n\t", "?!...", "\x00", "😀😀", "漢字", "\ud800"])
def test_nothing_to_decide_on(encoder: Encoder, blank: str) -> None:
    assert encoder(blank) == encoder(blank, previous="Con tên gì?") == []


@pytest.mark.parametrize("wrong", [None, 5, b"con", ["con"], float("nan")])
def test_wrong_types_are_named_without_their_content(encoder: Encoder, wrong: object) -> None:
    with pytest.raises(InputError, match="utterance must be str"):
        encoder(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="previous must be str"):
        encoder("con", wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="reply must be str"):
        encoder("con", "", wrong)  # type: ignore[arg-type]


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_has_ids_in_range(encoder: Encoder, utterance: str, previous: str, reply: str) -> None:
    ids = encoder(utterance, previous, reply)
    assert all(0 <= i < 3 * encoder.vocabulary for i in ids)
    assert not ids or (ids[0] == ids[-1] == PAD and len(ids) >= 3)


def test_a_tokenizer_follows_from_its_rows_alone(kitchen: LabelSet, kitchen_files: tuple[Path, Path]) -> None:
    rows = to_rows(read_records(str(kitchen_files[0])), kitchen).good
    first = train_tokenizer(texts_of(rows), 400)
    assert first == train_tokenizer(texts_of(rows), 400)
    assert b"rules.tsv" not in first, "no path of the machine that trained it"
