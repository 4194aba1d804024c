"""What is known of a run once its adapter is in place: the machine, the sizes, the versions."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from distill.finetune.model import device_name, lora_targets
from distill.finetune.train import Recipe

Encoded = tuple[list[int], list[int]]
"""Ids and labels of one example."""


def facts(tuned: Any, encoded: Sequence[Encoded], recipe: Recipe) -> dict[str, Any]:
    """Figures for the report; ``tuned`` is the model with its adapter."""
    trained, total = tuned.get_nb_trainable_parameters()
    return {
        "device": device_name(tuned.device),
        "dtype": str(tuned.dtype).removeprefix("torch."),
        "parameters": total,
        "trained_parameters": trained,
        "lora_targets": lora_targets(tuned.get_base_model()),
        "examples": len(encoded),
        "longest_tokens": max(len(ids) for ids, _ in encoded),
        "tokens": sum(len(ids) for ids, _ in encoded),
        "steps": recipe.steps(len(encoded)),
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }


def in_words(known: Mapping[str, Any]) -> str:
    """The same in one line, for the start of a run."""
    targets = known["lora_targets"]
    share = known["trained_parameters"] / known["parameters"]
    return (
        f"{known['device']}, {known['dtype']}: {known['trained_parameters']:,} of {known['parameters']:,} parameters "
        f"({share:.1%}) are trained, at {targets if isinstance(targets, str) else ', '.join(targets)}; "
        f"{known['examples']:,} examples of at most {known['longest_tokens']:,} tokens, {known['steps']:,} steps"
    )


def peak_gpu_bytes() -> int:
    """The most memory that this process has had on its GPU; 0 without one."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
