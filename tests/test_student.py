"""The student: both architectures, one interface, and padding that never matters."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyclf import LabelSet
from tinyclf.classifier import padded
from training.kin import Features, Kinship
from training.loss import loss
from training.merge import merge
from training.student import Shape, Student, build_student
from training.wide import WidePath

VOCABULARY = 50
IDS = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=12)


SHAPES = {
    "one token": {"architecture": "cnn", "width": 1},
    "two tokens": {"architecture": "cnn", "width": 2},
    "mean": {"architecture": "mlp", "width": 1},
}
HEADS = {"dish": 3, "allergens": 2}


def kin(*buckets: int) -> Kinship:
    """All of them have one feature in common, and the first a meaning too."""
    slots = torch.zeros(200, dtype=torch.long)
    slots[list(buckets)] = 1
    meanings = torch.zeros(VOCABULARY, 2)
    meanings[buckets[0], 1] = 1
    return Kinship([Features(slots, torch.tensor([[0], [3]]), 4)], meanings)


def fresh(kind: str, seed: int, kinship: Kinship | None = None) -> Student:
    """A student whose wide path knows something."""
    torch.manual_seed(seed)
    sizes = {"dim": 8, "filters": 16, "buckets": 200}
    shape = Shape(HEADS, VOCABULARY, dropout=0.3, wide_dropout=0.2, **sizes, **SHAPES[kind])  # type: ignore[arg-type]
    student = build_student(shape, kinship).eval()
    for weight in student.wide.parameters():
        torch.nn.init.normal_(weight)
    return student


@pytest.fixture(scope="module", params=sorted(SHAPES))
def student(request: pytest.FixtureRequest) -> Student:
    return fresh(request.param, 0)


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


@given(IDS, IDS, st.sampled_from(sorted(SHAPES)))
@settings(deadline=None, max_examples=30)
def test_merged_students_answer_their_mean(said: list[int], before: list[int], kind: str) -> None:
    ids = torch.tensor([[0, *(i + VOCABULARY for i in before), 0, *said, 0]])
    members = [fresh(kind, seed) for seed in range(3)]
    for name, logits in merge(members)(ids).items():
        torch.testing.assert_close(logits, torch.stack([member(ids)[name] for member in members]).mean(0))


@given(IDS, IDS)
@settings(deadline=None, max_examples=30)
def test_what_kin_share_settles_into_their_own_weights(said: list[int], before: list[int]) -> None:
    ids = torch.tensor([[0, *(i + VOCABULARY for i in before), 0, *said, 0]])
    student = fresh("one token", 0, kin(5, 7, 130))
    assert student.meanings is not None
    torch.nn.init.normal_(student.meanings)
    shared = student(ids)
    student.settle()
    names = [name for name, _ in student.named_parameters()]
    assert names == [name for name, _ in fresh("one token", 0).named_parameters()]
    for name, logits in student(ids).items():
        torch.testing.assert_close(logits, shared[name])


def test_a_word_learns_from_its_kin() -> None:
    torch.manual_seed(0)
    path = WidePath(buckets=200, classes=2, features=kin(5, 7).features)
    goal = torch.tensor([1])
    optimiser = torch.optim.SGD(path.parameters(), lr=1.0)
    torch.nn.functional.cross_entropy(path(torch.tensor([[0, 5, 0]])), goal).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    relative, stranger = (path(torch.tensor([[0, word, 0]]))[0] for word in (7, 8))
    assert relative[1] > relative[0]
    assert stranger[1] == stranger[0]


def test_the_loss_learns_from_soft_and_missing_targets(kitchen: LabelSet) -> None:
    logits = {"dish": torch.zeros(2, 3), "allergens": torch.zeros(2, 2)}
    soft = {"dish": torch.tensor([[0.7, 0.3, 0.0], [float("nan")] * 3]), "allergens": torch.tensor([[1.0, 0.0]] * 2)}
    assert float(loss(logits, soft, kitchen)) == pytest.approx(1.0986 + 0.6931, abs=1e-3)
    better = {"dish": torch.tensor([[0.847, 0.0, -9.0], [9.0, 0.0, 0.0]]), "allergens": logits["allergens"]}
    assert loss(better, soft, kitchen) < loss(logits, soft, kitchen)
    assert loss(better, soft, kitchen, smoothing=0.2) > loss(better, soft, kitchen)
