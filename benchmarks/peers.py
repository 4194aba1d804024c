"""The peers: fastText, and MiniLM embeddings with logistic regression; TF-IDF's is ``training.baseline``.

Each learns the same rows and answers with probabilities per head, so that one evaluation serves all. The segments of
a turn reach a peer as one text in which the robot's words carry a mark.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from tinyclf import LabelSet, Turn
from tinyclf.calibration import Floats
from tinyclf.files import write_whole
from training.baseline import marked_text
from training.rows import Row

MiniLmFolder = Annotated[
    Path | None, typer.Option("--minilm", help="Folder of all-MiniLM-L6-v2 (onnx/model.onnx, tokenizer.json).")
]
"""The option of a benchmark that can run MiniLM where its weights are at hand."""


RATES = (0.5, 0.25, 0.1, 0.05)
TRAIN_FASTTEXT = """
import sys, fasttext
file, rate, seed, model = sys.argv[1:]
fasttext.train_supervised(
    file, dim=64, epoch=25, lr=float(rate), wordNgrams=2, minn=2, maxn=5, bucket=200_000,
    thread=1, seed=int(seed), verbose=0,
).save_model(model)
"""


class Peer(Protocol):
    """Something that learns rows and answers turns."""

    name: str
    by_chance: bool
    """Whether the seed matters."""

    def fit(self, labels: LabelSet, rows: Sequence[Row], seed: int) -> None:
        """Learn the rows."""

    def probabilities(self, turns: Sequence[Turn]) -> dict[str, Floats]:
        """Class probabilities of shape (turns, classes) per head."""


class FastText:
    """fastText's supervised classifier with subwords and word 2-grams, one model per head (Joulin et al., 2016)."""

    name = "fastText"
    by_chance = True

    def fit(self, labels: LabelSet, rows: Sequence[Row], seed: int) -> None:  # noqa: D102
        self._labels = labels
        self._models = {}
        for head in labels.heads:
            answers = _answers(labels, rows, head.name)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "train.txt"
                lines = (f"__label__{a} {marked_text(row.turn)}\n" for a, row in zip(answers, rows, strict=True))
                write_whole(file, "".join(lines))
                self._models[head.name] = _fasttext(file, seed)

    def probabilities(self, turns: Sequence[Turn]) -> dict[str, Floats]:  # noqa: D102
        found = {}
        for head in self._labels.heads:
            rows = np.zeros((len(turns), len(head.names)))
            for i, turn in enumerate(turns):
                names, values = self._models[head.name].predict(marked_text(turn), k=-1)
                for name, value in zip(names, values, strict=True):
                    rows[i, head.names.index(name.removeprefix("__label__"))] = min(value, 1.0)
            found[head.name] = rows / np.maximum(rows.sum(1, keepdims=True), 1e-9)
        return found


class MiniLm:
    """Mean-pooled all-MiniLM-L6-v2 embeddings with logistic regression per head (Reimers and Gurevych, 2019).

    ``folder`` holds ``onnx/model.onnx`` and ``tokenizer.json`` as in the model's own repository.
    """

    name = "all-MiniLM-L6-v2 + logistic regression"
    by_chance = False

    def __init__(self, folder: Path) -> None:
        import onnxruntime as ort
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(folder / "onnx" / "model.onnx"), options)
        self._inputs = {entry.name for entry in self._session.get_inputs()}

    def fit(self, labels: LabelSet, rows: Sequence[Row], seed: int) -> None:  # noqa: D102
        self._labels = labels
        features = np.stack([self.embed(row.turn) for row in rows])
        self._models: dict[str, Pipeline] = {
            head.name: make_pipeline(LogisticRegression(C=10, max_iter=1000)).fit(
                features, _answers(labels, rows, head.name)
            )
            for head in labels.heads
        }

    def probabilities(self, turns: Sequence[Turn]) -> dict[str, Floats]:  # noqa: D102
        features = np.stack([self.embed(turn) for turn in turns])
        return {
            head.name: _in_order(head.names, model.classes_, model.predict_proba(features))
            for head, model in zip(self._labels.heads, self._models.values(), strict=True)
        }

    def embed(self, turn: Turn) -> Floats:
        """The unit-length mean of the token vectors, shape (384,)."""
        encoded = self._tokenizer.encode(" | ".join((turn.previous, turn.utterance, turn.reply)))
        feeds: dict[str, Any] = {
            "input_ids": np.array([encoded.ids], dtype=np.int64),
            "attention_mask": np.array([encoded.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoded.type_ids], dtype=np.int64),
        }
        tokens = self._session.run(None, {name: value for name, value in feeds.items() if name in self._inputs})[0][0]
        mean = tokens.mean(0)
        return np.asarray(mean / np.linalg.norm(mean))


def _fasttext(file: Path, seed: int) -> Any:
    """A model at the highest learning rate that works: fastText ends with "Encountered NaN" where it is too high.

    Beside other libraries it ends so at rates that work without them, so it is trained in a process of its own.
    """
    import fasttext

    model = file.with_suffix(".bin")
    for rate in RATES:
        told = [sys.executable, "-c", TRAIN_FASTTEXT, str(file), str(rate), str(seed), str(model)]
        if subprocess.run(told, check=False, capture_output=True).returncode == 0:
            return fasttext.load_model(str(model))
    raise RuntimeError(f"fastText ends with an error at each rate of {RATES}")


def _answers(labels: LabelSet, rows: Sequence[Row], head: str) -> list[str]:
    return [str(row.labels(labels)[head]) for row in rows]


def _in_order(names: Sequence[str], classes: Sequence[str], found: Floats) -> Floats:
    """Columns in the label set's order; a class that never occurred gets zero."""
    place = {name: i for i, name in enumerate(classes)}
    zero = np.zeros(len(found))
    return np.stack([found[:, place[name]] if name in place else zero for name in names], axis=1)
