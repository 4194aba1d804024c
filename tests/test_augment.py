"""Augmentation changes the wording, keeps what turns the meaning, and never what the robot said."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_encode import ANY_TEXT
from tinyclf import Turn
from training.augment import CHANGES, KEEP, SWAPS, Augmentation, without_diacritics

EVERYTHING = Augmentation(*[1.0] * len(CHANGES))


def test_diacritics_are_dropped() -> None:
    assert without_diacritics("Đẹp quá, ừ nhỉ ƯỚT") == "Dep qua, u nhi UOT"


@given(ANY_TEXT, ANY_TEXT, st.integers())
def test_any_turn_stays_a_turn(utterance: str, previous: str, seed: int) -> None:
    changed = EVERYTHING(Turn(utterance, previous, previous), random.Random(seed))
    assert (changed.previous, changed.reply) == (previous, previous)
    assert bool(changed.utterance.strip()) == bool(utterance.strip())


@pytest.mark.parametrize("name", ["drop", "swap", "particle", "double"])
def test_words_that_turn_the_meaning_stay(name: str) -> None:
    said = ["con", "không", "thích", "đi", "học", "mà", "mẹ", "bắt", "con", "đi", "chưa", "được", "chơi"]
    kept = [word for word in said if word in KEEP]
    for seed in range(200):
        found = CHANGES[name](said, random.Random(seed))
        for word in kept:
            assert word in found or any(other in " ".join(found) for other in SWAPS.get(word, []))


def test_the_same_seed_gives_the_same_turn() -> None:
    turn = Turn("hôm nay con được cô khen vì con giúp bạn")
    one, two = (EVERYTHING(turn, random.Random(3)) for _ in range(2))
    assert one == two != turn
