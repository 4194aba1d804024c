"""Parity: the exported model must answer as the student does, on real turns and on any text at all."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinyclf import Turn
from tinyclf.bundle import Bundle
from tinyclf.classifier import Classifier
from tinyclf.errors import TinyclfError
from training.run import Run

TOLERANCE = {"float32": 1e-4, "float16": 5e-3, "int8": 0.15}
"""The largest difference of a probability that is allowed, by precision; int8 rounds every weight of the wide path."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference of any probability per head, and on how many turns."""

    turns: int
    largest: dict[str, float]


def check_parity(run: Run, bundle: Bundle, turns: Sequence[Turn], precision: str) -> Parity:
    """Compare torch and ONNX, one by one and in batches, over ``turns`` and random unicode.

    Raises ``TinyclfError`` naming the head when a probability differs by more than the precision allows.
    """
    classifier = Classifier(bundle)
    every = [turn for turn in (*turns, *random_turns(500)) if run.encoder(turn.utterance, turn.previous, turn.reply)]
    expected = run.predict(every)
    largest: dict[str, float] = {}
    for name, decisions in (
        ("one by one", [classifier(turn.utterance, turn.previous, turn.reply) for turn in every]),
        ("batch", classifier.batch(every)),
    ):
        for head in run.labels.heads:
            found = np.array([list(decision.probabilities[head.name].values()) for decision in decisions])
            difference = float(np.abs(found - expected[head.name]).max())
            largest[head.name] = max(largest.get(head.name, 0.0), difference)
            if not difference <= TOLERANCE[precision]:  # so written, NaN fails too
                raise TinyclfError(
                    f"head {head.name!r}, {name}: a probability differs by {difference:.2g} between torch and ONNX, "
                    f"{TOLERANCE[precision]:g} is allowed for {precision}"
                )
    return Parity(len(every), largest)


def random_turns(count: int, seed: int = 0) -> Iterator[Turn]:
    """Turns of random characters from all over unicode, some with ``previous`` and ``reply``."""
    rng = random.Random(seed)
    blocks = [
        (0x20, 0x7F),
        (0xC0, 0x250),
        (0x300, 0x370),
        (0x1E00, 0x1F00),
        (0x2000, 0x2070),
        (0x1F300, 0x1F700),
        (1, 0xD7FF),
    ]

    def text(longest: int) -> str:
        return "".join(chr(rng.randint(*rng.choice(blocks))) for _ in range(rng.randint(1, longest)))

    for _ in range(count):
        yield Turn(text(120), text(60) if rng.random() < 0.3 else "", text(60) if rng.random() < 0.2 else "")
