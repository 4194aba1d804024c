"""How well a model labels held-out rows, asked and read as ``tinyclf.llm`` does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill.debias import Debias
from distill.finetune.chat import Chat
from distill.finetune.examples import Ask, right
from distill.source import Item
from tinyclf import LabelSet
from tinyclf.llm.prompt import written
from tinyclf.llm.question import questions

Read = tuple[list[float], float]
"""Probabilities over a question's options, and the probability that all its letters had together."""


@dataclass(frozen=True, slots=True)
class HeadScore:
    """``accuracy``: share of rows that are right; of an any-of head every class has to be.

    ``nll``: mean negative log-probability of the right option, in nats. ``mass``: mean share of the model's
    probability that fell on letters; what is missing went to other tokens.
    """

    rows: int
    accuracy: float
    nll: float
    mass: float


def score(
    model: Any, chat: Chat, labels: LabelSet, items: Sequence[Item], asked: Sequence[Ask], batch: int
) -> dict[str, HeadScore]:
    """Scores per head: softmax over the letters' logits, both spellings added up, mean over the orders asked."""
    calls = [(row, ask) for row, item in enumerate(items) for ask in asked if ask.question.head.name in item.gold]
    prompts = [chat.prompt(ask.system, written(items[row].turn)) for row, ask in calls]
    answers = read_letters(model, chat, prompts, [ask for _, ask in calls], batch)
    raws: list[dict[str, list[list[float]]]] = [{} for _ in items]
    masses: dict[str, list[float]] = {head.name: [] for head in labels.heads}
    for (row, ask), (options, mass) in zip(calls, answers, strict=True):
        raws[row].setdefault(ask.question.key, []).append(options)
        masses[ask.question.head.name].append(mass)
    hits: dict[str, list[bool]] = {head.name: [] for head in labels.heads}
    losses: dict[str, list[float]] = {head.name: [] for head in labels.heads}
    average = Debias()
    for item, raw in zip(items, raws, strict=True):
        soft = average(raw)
        right_ones: dict[str, bool] = {}
        for question in questions(labels):
            if (gold := item.gold.get(name := question.head.name)) is not None:
                place, p = right(question, gold), soft[question.key]
                right_ones[name] = right_ones.get(name, True) and int(np.argmax(p)) == place
                losses[name].append(-float(np.log(p[place])))
        for name, hit in right_ones.items():
            hits[name].append(hit)
    return {
        name: HeadScore(len(hits[name]), _mean(hits[name]), _mean(losses[name]), _mean(masses[name]))
        for name in hits
        if hits[name]
    }


def read_letters(
    model: Any, chat: Chat, prompts: Sequence[Sequence[int]], asked: Sequence[Ask], batch: int
) -> list[Read]:
    """What the model answers to each prompt, in their order; batches of about equal length, padded on the left."""
    found: list[Read] = [([], 0.0)] * len(prompts)
    longest_first = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for start in range(0, len(prompts), batch):
            places = longest_first[start : start + batch]
            logprobs = _next_token(model, [prompts[i] for i in places], chat.tokenizer.pad_token_id)
            for i, row in zip(places, logprobs, strict=True):
                found[i] = _by_option(row, asked[i], chat)
    model.train(was_training)
    return found


def _next_token(model: Any, prompts: Sequence[Sequence[int]], pad: int) -> Tensor:
    """Log-probabilities of the token after each prompt, (prompts, vocabulary) in float32."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    places = (mask.cumsum(1) - 1).clamp(min=0)  # so that padding moves no token
    logits = model(input_ids=ids, attention_mask=mask, position_ids=places, logits_to_keep=1, use_cache=False).logits
    return torch.log_softmax(logits[:, -1].float(), dim=-1).cpu()


def _by_option(logprobs: Tensor, ask: Ask, chat: Chat) -> Read:
    letters = torch.stack([logprobs[ids].logsumexp(0) for ids in chat.letters[: len(ask.order)]])
    options = [0.0] * len(ask.order)
    for option, p in zip(ask.order, letters.softmax(0).tolist(), strict=True):
        options[option] = p
    return options, float(letters.exp().sum())


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 6)
