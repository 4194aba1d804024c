"""The student: both architectures, one interface, and padding that never matters."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyclf import LabelSet
from tinyclf.classifier import padded
from training.loss import loss
from training.student import ARCHITECTURES, Shape, Student, build_student

VOCABULARY = 50
IDS = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=12)


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def student(request: pytest.FixtureRequest) -> Student:
    torch.manual_seed(0)
    heads = {"dish": 3, "allergens": 2}
    sizes = {"dim": 8, "filters": 16, "hidden": 8, "buckets": 200}
    shape = Shape(heads, VOCABULARY, request.param, width=1, dropout=0.3, wide_dropout=0.2, **sizes)
    student = build_student(shape).eval()
    torch.nn.init.normal_(student.wide.table.weight)
    return student


@settings(deadline=None)
@given(IDS, IDS, IDS)
def test_padding_changes_nothing(student: Student, said: list[int], before: list[int], longer: list[int]) -> None:
    ids = [0, *(i + VOCABULARY for i in before), 0, *said, 0]
    alone = student(torch.tensor([ids]))
    batched = student(torch.from_numpy(padded([ids, [0, *said, *longer, *said, *longer, *said, 0]])))
    for name, logits in alone.items():
        torch.testing.assert_close(logits[0], batched[name][0])


def test_a_word_counts_differently_in_each_segment(student: Student) -> None:
    outputs = [student(torch.tensor([[0, 5 + s * VOCABULARY, 0]]))["dish"] for s in range(3)]
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_the_loss_learns_from_soft_and_missing_targets(kitchen: LabelSet) -> None:
    logits = {"dish": torch.zeros(2, 3), "allergens": torch.zeros(2, 2)}
    soft = {"dish": torch.tensor([[0.7, 0.3, 0.0], [float("nan")] * 3]), "allergens": torch.tensor([[1.0, 0.0]] * 2)}
    assert float(loss(logits, soft, kitchen)) == pytest.approx(1.0986 + 0.6931, abs=1e-3)
    better = {"dish": torch.tensor([[0.847, 0.0, -9.0], [9.0, 0.0, 0.0]]), "allergens": logits["allergens"]}
    assert loss(better, soft, kitchen) < loss(logits, soft, kitchen)
    assert loss(better, soft, kitchen, smoothing=0.2) > loss(better, soft, kitchen)
