"""Drills: made from the facts as they stand, and no word in them tells whether an answer is right."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tinyclf import default_labels
from training.corpus import DRILLS, QUIZ, read_corpus
from training.drills import drill_rows, write_drills
from training.rows import Row
from training.twins import plain_turn


@pytest.fixture(scope="module")
def drills() -> Sequence[Row]:
    return read_corpus(default_labels(), DRILLS).good


def test_the_committed_drills_are_those_of_the_facts(tmp_path: Path) -> None:
    assert write_drills(tmp_path) == len(list(drill_rows()))
    (made,) = tmp_path.iterdir()
    assert made.read_bytes() == (DRILLS / made.name).read_bytes()


def test_every_question_is_answered_rightly_and_wrongly_alike(drills: Sequence[Row]) -> None:
    labels = default_labels()
    for replied in (False, True):
        here = [row for row in drills if bool(row.turn.reply) == replied]
        classes = Counter(str(row.labels(labels)) for row in here)
        assert len(classes) == 2
        assert len(set(classes.values())) == 1
        asked = Counter(row.turn.previous for row in here)
        assert set(asked.values()) == {2}


def test_no_question_is_one_of_the_quiz_set(drills: Sequence[Row]) -> None:
    asked = {plain_turn(row.turn).partition("|")[0] for row in drills}
    tested = {plain_turn(row.turn).partition("|")[0] for row in read_corpus(default_labels(), QUIZ).good}
    assert not asked & tested
