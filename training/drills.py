"""Drills: rows made from facts, in which no word tells whether an answer is right, and only a reply does.

A student as small as ours cannot hold the world's knowledge. From authored turns alone it learns a few answers by heart
and is then as sure of any other; a fact's right answers and its wrong ones, as often and in the same words, teach it to
be unsure, and to believe the robot's reply.
"""

import json
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from tinyclf.files import write_whole
from training.corpus import DATA, DRILLS

FACTS = DATA / "facts"
RIGHT, WRONG = "right", "wrong"


def drill_rows(facts: Path = FACTS, seed: int = 0) -> Iterator[dict[str, Any]]:
    """The rows of all facts, ready for JSON: each with its right and a wrong answer, bare and with the robot's reply.

    ``facts`` holds ``drills.toml`` (wordings, replies and labels) and a file of facts for each language.
    """
    plan = tomllib.loads((facts / "drills.toml").read_text(encoding="utf-8"))
    rng = random.Random(seed)
    for lang, wordings in plan["languages"].items():
        for number, line in enumerate((facts / f"{lang}.jsonl").read_text(encoding="utf-8").splitlines(), 1):
            fact = json.loads(line)
            family = f"{fact['kind']}/{lang}-{number:03d}"
            for nth, (replied, correct) in enumerate(product((False, True), (RIGHT, WRONG)), 1):
                row = {"id": f"drill-{lang}-{number:03d}-{nth}", "lang": lang, "family": family}
                row |= _turn(fact, correct, wordings, rng, replied=replied)
                yield row | plan["labels"][correct]


def write_drills(folder: Path = DRILLS) -> int:
    """Write the drills anew from the facts; how many rows."""
    rows = list(drill_rows())
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"{DRILLS.name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def _turn(
    fact: Mapping[str, Any], correct: str, wordings: Mapping[str, Sequence[Any]], rng: random.Random, *, replied: bool
) -> dict[str, str]:
    turn = {
        "previous": fact["question"],
        "utterance": rng.choice(wordings["answers"]).format(rng.choice(fact[correct])),
    }
    if replied:
        turn["reply"] = rng.choice(wordings[correct]).replace("{right}", fact[RIGHT][0])
    return turn
