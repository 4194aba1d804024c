"""The turns that a service under load is asked about, and how they look as requests."""

import json
import random
from collections.abc import Sequence
from typing import Any

from benchmarks.load import request
from tinyclf import Classifier, Turn, default_labels
from tinyclf.llm.prompt import Prompt
from training.corpus import read_corpus
from training.split import split_rows

TURNS = 512


def sample_turns() -> tuple[list[Turn], dict[str, Any]]:
    """A fixed sample of the test split, and what the student makes of it."""
    test = split_rows(read_corpus(default_labels()).good).test
    turns = [row.turn for row in random.Random(0).sample(test, TURNS)]
    decisions = Classifier.load().batch(turns)
    return turns, {
        "n": len(turns),
        "unsure": sum(not decision.sure for decision in decisions) / len(turns),
        "with previous": sum(bool(turn.previous) for turn in turns) / len(turns),
        "with reply": sum(bool(turn.reply) for turn in turns) / len(turns),
    }


def classify_requests(turns: Sequence[Turn]) -> list[bytes]:
    """The turns as requests to ``/v1/classify``."""
    fields = ({"utterance": t.utterance, "previous": t.previous, "reply": t.reply} for t in turns)
    return [request("POST", "/v1/classify", json.dumps(body, ensure_ascii=False).encode()) for body in fields]


def chat_requests(turns: Sequence[Turn]) -> list[bytes]:
    """The turns as the robot sends them to an LLM today: a system prompt that asks for JSON, and the context."""
    labels = default_labels()
    system = Prompt(labels, shots=0).line(labels.heads)
    found = []
    for turn in turns:
        said, answered = (json.dumps(text, ensure_ascii=False) for text in (turn.utterance, turn.reply))
        context = f"[CONTEXT]\nuser_last_message: {said}\npika_response: {answered}"
        roles = [{"role": "system", "content": system}, {"role": "user", "content": context}]
        body = {"model": "stub", "messages": roles, "temperature": 0, "max_tokens": 24}
        found.append(request("POST", "/v1/chat/completions", json.dumps(body, ensure_ascii=False).encode()))
    return found
