"""A labelled folder read back: its rows, what the teacher answered in full, and the gold beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from distill.debias import CONTENT_FREE, mean_answers
from distill.job import REPORT, TABLE
from distill.journal import Journal
from distill.source import key_of
from distill.table import KEY
from tinyclf import LabelSet
from tinyclf.calibration import Floats
from tinyclf.errors import DataError
from tinyclf.labelfile import parse_labels
from tinyclf.llm.answer import Raw
from tinyclf.llm.question import Question, questions

Ints = npt.NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows with answers. ``content_free``: the mean raw answer to turns that say nothing, where they were asked."""

    folder: Path
    labels: LabelSet
    report: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    raws: Sequence[Raw]
    content_free: Mapping[str, Floats]

    @property
    def soft(self) -> bool:
        """Whether the teacher gave probabilities, and not labels alone."""
        return bool(self.report["style"] == "letter")

    def questions(self) -> Sequence[Question]:
        """The questions that the teacher was asked."""
        return questions(self.labels)

    def gold(self, question: Question) -> Ints:
        """The place of the right option for each row, ``UNKNOWN`` where there is no gold."""
        found = np.full(len(self.rows), UNKNOWN, dtype=np.int64)
        for i, row in enumerate(self.rows):
            value = row[f"{question.head.name}_gold"]
            if value is not None:
                found[i] = question.place(value)
        return found


def read_labelled(folder: Path) -> Labelled:
    """The answered rows of a folder of ``distill label``; ``DataError`` when it is none."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        table = pq.read_table(folder / TABLE).to_pylist()
        labels = parse_labels(report["label_set"], lambda key: f"{folder / REPORT}: {'/'.join(map(str, key))}")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: not a finished folder of `python -m distill label`: {error}") from error
    with Journal(folder / "journal" / report["journal"], read_only=True) as journal:
        rows = [row for row in table if row[KEY] in journal]
        raws: list[Raw] = [journal[row[KEY]]["raw"] for row in rows]
        empty = [journal[key]["raw"] for turn in CONTENT_FREE if (key := key_of(turn)) in journal]
    return Labelled(folder, labels, report, rows, raws, mean_answers(empty))
