"""The LoRA run: trl's supervised trainer over token ids, stopped and resumed without loss."""

import json
import math
import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from peft import LoraConfig
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from distill.finetune.model import lora_targets
from tinyclf.errors import DataError

if TYPE_CHECKING:
    TrainerCallback = object  # so that types are checked alike with and without the extra
else:
    from transformers import TrainerCallback

LOGGED = 100
"""About how many points the loss curve gets."""
WARMUP = 0.03
"""The share of the steps in which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the adapter is trained (LoRA: Hu et al., arXiv:2106.09685).

    ``batch``: examples on the device at once; ``accumulation``: so many of these make a step.
    """

    rank: int = 16
    alpha: int = 32
    learning_rate: float = 2e-4
    batch: int = 4
    accumulation: int = 4
    gradient_checkpointing: bool = True
    save_every: int = 50
    seed: int = 0

    def steps(self, examples: int) -> int:
        """How many optimiser steps so many examples make."""
        return math.ceil(math.ceil(examples / self.batch) / self.accumulation)


class Stop(TrainerCallback):
    """On Ctrl-C or SIGTERM the step in hand is finished and saved; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Listen."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Save and stop, if somebody asked to."""
        if self.asked:
            control.should_save = control.should_training_stop = True

    def restore(self) -> None:
        """Put the signals back as they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def trainer_for(
    model: Any, tokenizer: Any, encoded: Sequence[tuple[list[int], list[int]]], recipe: Recipe, folder: Path
) -> Any:
    """A trainer with the adapter in place; ``encoded`` are ids and labels of each example, all short enough."""
    if torch.cuda.device_count() > 1:
        raise DataError("several GPUs are visible and this runs on one: set CUDA_VISIBLE_DEVICES=0")
    on_cpu = model.device.type == "cpu"
    steps = recipe.steps(len(encoded))
    adapter = LoraConfig(
        task_type="CAUSAL_LM", r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=0.05,
        target_modules=lora_targets(model),
    )  # fmt: skip
    data = Dataset.from_dict({"input_ids": [ids for ids, _ in encoded], "labels": [said for _, said in encoded]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # trl itself uses names that transformers gives up
        config = SFTConfig(
            output_dir=str(folder),
            num_train_epochs=1,  # the examples of all epochs are there, each in its own order of the options
            per_device_train_batch_size=recipe.batch, gradient_accumulation_steps=recipe.accumulation,
            learning_rate=recipe.learning_rate, lr_scheduler_type="cosine", warmup_steps=round(WARMUP * steps),
            gradient_checkpointing=recipe.gradient_checkpointing, bf16=model.dtype == torch.bfloat16, use_cpu=on_cpu,
            max_length=None, logging_steps=max(1, steps // LOGGED), logging_first_step=True,
            save_strategy="steps", save_steps=recipe.save_every, save_total_limit=2, seed=recipe.seed,
            report_to="none", dataloader_pin_memory=not on_cpu,
        )  # fmt: skip
        return SFTTrainer(model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=adapter)


def run(trainer: Any) -> bool:
    """Train from the last whole checkpoint, if there is one; whether it came to the end."""
    stop = Stop()
    trainer.add_callback(stop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            trainer.train(resume_from_checkpoint=last_checkpoint(Path(trainer.args.output_dir)))
    finally:
        stop.restore()
    return bool(trainer.state.global_step >= trainer.state.max_steps)


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: the trainer's state is what it writes last."""
    found = {int(path.name.rpartition("-")[2]): path for path in folder.glob("checkpoint-*")}
    for step in sorted(found, reverse=True):
        try:
            json.loads((found[step] / "trainer_state.json").read_text(encoding="utf-8"))
            return str(found[step])
        except (OSError, ValueError):
            continue
    return None
