"""``python -m distill finetune``: the teacher learns from gold rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from distill.commands import finetune_options as options
from distill.commands import shared
from distill.commands.options import Labels, Seed, SkipBad, TextColumn
from distill.finetune.folder import Folder
from distill.finetune.gold import Split, split
from distill.source import Source
from tinyclf.errors import DataError
from tinyclf.terminal import say, stop_at_bad


def finetune(
    gold: options.Gold,
    model: options.Model,
    out: options.Out,
    labels: Labels = None,
    text_column: TextColumn = "utterance",
    gguf: options.Gguf = None,
    revision: options.Revision = None,
    shots: options.Shots = None,
    held_out: options.HeldOut = 0.1,
    orders: options.Orders = 2,
    epochs: options.Epochs = 2,
    rank: options.Rank = 16,
    alpha: options.Alpha = None,
    learning_rate: options.LearningRate = 2e-4,
    batch: options.Batch = 4,
    accumulation: options.Accumulation = 4,
    max_length: options.MaxLength = 4096,
    gradient_checkpointing: options.Checkpointing = True,
    save_every: options.SaveEvery = 50,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Fine-tune a teacher by LoRA on gold rows, asked for one letter just as `label` asks; serve OUT/merged.

    Accuracy, NLL and letter mass on held-out families are shown before and after, and are in OUT/finetune.json with
    the loss, which OUT/loss.png draws. Stop it whenever you like: the same command goes on from the last checkpoint.

    Examples:

      python -m distill finetune gold.jsonl --model microsoft/Phi-3-mini-4k-instruct --out tuned --shots 4

      python -m distill finetune gold.csv --model models/smollm2 --gguf SmolLM2-135M-Instruct.Q4_1.gguf --out tuned
    """
    source = Source(gold, shared.label_set(labels), text_column, seed=seed)
    stop_at_bad(source.bad, skip_bad, "train")
    rows = split(source, held_out, seed)
    say(_counted(source, rows))
    try:
        from distill.finetune.job import Job
        from distill.finetune.model import Origin
        from distill.finetune.report import table
        from distill.finetune.train import Recipe
    except ImportError as error:
        raise DataError(f"fine-tuning needs {error.name}: pip install -e '.[finetune]'") from error
    recipe = Recipe(
        rank, alpha or 2 * rank, learning_rate, batch, accumulation, gradient_checkpointing, save_every, seed
    )
    job = Job(
        Origin(model, gguf, revision), source.labels, rows, Folder(out), recipe, epochs, shots, orders, max_length, say
    )
    report = job()
    if report is None:
        say(f"stopped; the last checkpoint is in {job.folder.checkpoints}. The same command goes on from there.")
        raise typer.Exit(130)
    Console().print(table(report["before"], report["after"]))
    _next(report, job.folder, labels, shots)


def _counted(source: Source, rows: Split) -> str:
    used = [*rows.train, *rows.held_out]
    heads = ", ".join(f"{head.name} {sum(head.name in item.gold for item in used):,}" for head in source.labels.heads)
    return (
        f"{source.rows:,} rows, {rows.without_gold:,} of them without gold labels; used {len(used):,} ({heads}): "
        f"{len(rows.train):,} to learn from, {len(rows.held_out):,} of other families held out"
    )


def _next(report: Mapping[str, Any], folder: Folder, labels: Path | None, shots: int | None) -> None:
    """The commands that serve the model and label with it."""
    if report["folded_system_role"]:
        say("the chat template has no system role: the one in the merged folder puts that message before the turn")
    same = "".join([f" --labels {labels}" if labels else "", f" --shots {shots}" if shots is not None else ""])
    say(f"{folder.report}, {folder.path / 'loss.png'} and the model in {folder.merged} are written")
    say(f"serve it:      vllm serve {folder.merged} --max-model-len 4096 --generation-config vllm")
    say(f"label with it: python -m distill label INPUT --out labelled --model {folder.merged}{same}")
