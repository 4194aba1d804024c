"""What many tests share: a small label set and data of another trade, and a bundle trained on them."""

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tinyclf import Classifier, LabelSet, read_labels

# Commands fold what they say to the width of the terminal; and tests that run side by side share the cores.
os.environ["COLUMNS"] = "400"
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine must not fail a test: time is judged in benchmarks/, and every run draws the same examples.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("steady")

SMALL_LABELS = """
name = "kitchen"

[[heads]]
name = "dish"
default = "none"
[[heads.classes]]
name = "soup"
[[heads.classes]]
name = "cake"
[[heads.classes]]
name = "none"

[[heads]]
name = "allergens"
kind = "any-of"
[[heads.classes]]
name = "nuts"
[[heads.classes]]
name = "milk"

[[incompatible]]
dish = "none"
allergens = ["nuts", "milk"]

[[guards]]
name = "hiding milk"
never = { dish = "soup" }
when = { allergens = "milk" }

[[examples]]
utterance = "a bowl of hot soup"
labels = { dish = "soup", allergens = [] }
"""

DISHES = {
    "soup": ["soup", "broth", "bowl hot"],
    "cake": ["cake", "tart", "sweet slice"],
    "none": ["hello", "door", "rain"],
}
EXTRAS = {"nuts": ["almond", "walnut"], "milk": ["cream", "butter"]}
FILLERS = ["please", "now", "the", "a", "with", "for", "me", "today", "again", "here", "some", "very", "my"]


def small_rows(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Rows of the kitchen label set whose words decide their labels."""
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    for i in range(count):
        dish = rng.choice(list(DISHES))
        extras = [name for name in EXTRAS if dish != "none" and rng.random() < 0.4]
        words = [rng.choice(DISHES[dish]), *[rng.choice(EXTRAS[e]) for e in extras], *rng.sample(FILLERS, 4)]
        rng.shuffle(words)
        rows.append(
            {"id": f"k-{i}", "utterance": " ".join(words), "dish": dish, "allergens": extras, "family": f"f/{i}"}
        )
    return rows


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def clf() -> Classifier:
    """The classifier that users get."""
    return Classifier.load()


@pytest.fixture(scope="session")
def kitchen_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data file and a label file of another trade."""
    folder = tmp_path_factory.mktemp("kitchen")
    (folder / "labels.toml").write_text(SMALL_LABELS, encoding="utf-8")
    return write_jsonl(folder / "rows.jsonl", small_rows(300)), folder / "labels.toml"


@pytest.fixture(scope="session")
def kitchen(kitchen_files: tuple[Path, Path]) -> LabelSet:
    """The label set of another trade: one one-of head, one any-of head."""
    return read_labels(kitchen_files[1])
