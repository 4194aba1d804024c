"""The classifier: a bundle, loaded and warm, that decides in the caller's thread in microseconds."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Self

import numpy as np
import onnxruntime as ort

from tinyclf.bundle import MODEL, TOKENIZER, Bundle, read_bundle
from tinyclf.decision import Decision, Source
from tinyclf.decode import Decoder
from tinyclf.encode import PAD, UNKNOWN, Encoder
from tinyclf.errors import BundleError
from tinyclf.operating import OperatingPoint
from tinyclf.turn import Turn

INPUT = "ids"
BATCH = 256
WARM_UP = ("pika", "xin chào pika hôm nay con đi học vui lắm", "hello pika " * 20)


class Classifier:
    """Decides turns with the student of one bundle at one operating point. Safe to call from many threads.

    >>> clf = Classifier.load()
    >>> clf("con làm được rồi").to_json()
    '{"soll_emotion": "proud", "soll_celebrate": "yes"}'
    """

    def __init__(self, bundle: Bundle, point: str = "balanced") -> None:
        self.bundle = bundle
        self.labels = bundle.labels
        self.point: OperatingPoint = bundle.point(point)
        self._encoder = _encoder(bundle)
        self._run = _session(bundle).run
        self._decoder = Decoder(self.labels, self.point)
        self._unlimited = Decoder(self.labels, replace(self.point, limits={}))
        self._outputs = [head.name for head in self.labels.heads]
        self._one_of = [head.kind == "one-of" for head in self.labels.heads]
        self._heads = [(head.name, head.names) for head in self.labels.heads]
        self._check()

    @classmethod
    def load(cls, path: Path | str | None = None, point: str = "balanced") -> Self:
        """Load, verify and warm a bundle; without ``path`` the one that ships with tinyclf.

        Raises ``BundleError`` when the bundle is missing, damaged, foreign or lacks the operating point.
        """
        return cls(read_bundle(path), point)

    def __call__(self, utterance: str, previous: str = "", reply: str = "") -> Decision:
        """Decide one turn. Raises ``InputError`` when a segment is no ``str``; any ``str`` gets a decision."""
        start = perf_counter_ns()
        ids = self._encoder(utterance, previous, reply)
        if not ids:
            return self._default((perf_counter_ns() - start) / 1000)
        outputs = self._run(self._outputs, {INPUT: np.array([ids], dtype=np.int64)})
        return self.decided([output.tolist()[0] for output in outputs], start=start)

    def batch(self, turns: Iterable[Turn | str]) -> list[Decision]:
        """Decide many turns, in order; the same decisions as one by one, and faster. ``microseconds`` is the mean."""
        start = perf_counter_ns()
        rows = [turn if isinstance(turn, Turn) else Turn(turn) for turn in turns]
        encoded = [self._encoder(turn.utterance, turn.previous, turn.reply) for turn in rows]
        order = sorted((i for i, ids in enumerate(encoded) if ids), key=lambda i: len(encoded[i]))
        found: dict[int, list[list[float]]] = {}
        for at in range(0, len(order), BATCH):
            chunk = order[at : at + BATCH]
            outputs = self._run(self._outputs, {INPUT: padded([encoded[i] for i in chunk])})
            for i, *row in zip(chunk, *(output.tolist() for output in outputs), strict=True):
                found[i] = row
        each = (perf_counter_ns() - start) / 1000 / max(len(rows), 1)
        return [
            self.decided(found[i], microseconds=each) if i in found else self._default(each) for i in range(len(rows))
        ]

    def decided(
        self, rows: list[list[float]], source: Source = "student", start: int = 0, microseconds: float = 0.0
    ) -> Decision:
        """The decision that class probabilities, a row for each head, come to at this operating point.

        Its limits are the student's: they rest on how it errs, and bind no teacher.

        ``start``: when the decision began, by ``perf_counter_ns``; without it ``microseconds`` stands as given.
        """
        chosen, confidence, sure = (self._decoder if source == "student" else self._unlimited)(rows)
        labels: dict[str, str | tuple[str, ...]] = {}
        for (head, names), one_of, classes in zip(self._heads, self._one_of, chosen, strict=True):
            labels[head] = names[classes[0]] if one_of else tuple([names[c] for c in classes])
        if start:
            microseconds = (perf_counter_ns() - start) / 1000
        return Decision(labels, confidence, sure, source, microseconds, self._heads, rows)

    def _default(self, microseconds: float) -> Decision:
        return Decision(self.labels.default, 0.0, False, "default", microseconds)

    def _check(self) -> None:
        """Warm the session and see that it gives a distribution for every head."""
        for text in WARM_UP:
            ids = self._encoder(text) or [PAD, UNKNOWN, PAD]
            try:
                outputs = self._run(self._outputs, {INPUT: np.array([ids], dtype=np.int64)})
            except Exception as error:  # onnxruntime's errors share no base class
                raise BundleError(f"{self.bundle.path / MODEL}: does not run: {error}") from error
            for (head, names), one_of, output in zip(self._heads, self._one_of, outputs, strict=True):
                total = float(output.sum())
                if output.shape != (1, len(names)) or not np.isfinite(total) or (one_of and abs(total - 1) > 1e-3):
                    raise BundleError(f"{self.bundle.path / MODEL}: output {head!r} is no distribution")


def padded(rows: Sequence[Sequence[int]]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Rows of ids as one array of shape (rows, longest), filled up with ``PAD``."""
    array = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for i, row in enumerate(rows):
        array[i, : len(row)] = row
    return array


def _encoder(bundle: Bundle) -> Encoder:
    try:
        return Encoder(bundle.tokenizer)
    except Exception as error:  # sentencepiece's errors share no base class
        raise BundleError(f"{bundle.path / TOKENIZER}: sentencepiece cannot load it") from error


def _session(bundle: Bundle) -> ort.InferenceSession:
    """One thread and no spinning: the robot's server has other work for its cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    try:
        return ort.InferenceSession(bundle.model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        raise BundleError(f"{bundle.path / MODEL}: onnxruntime cannot load it: {error}") from error
