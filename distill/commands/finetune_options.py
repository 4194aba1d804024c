"""The options of ``finetune``: name, type and what to know about each."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Gold = Annotated[
    str,
    Argument(
        metavar="GOLD",
        help="Rows with gold labels (column HEAD_gold or HEAD): a .jsonl, .csv or .parquet file, or a folder of them.",
    ),
]
Model = Annotated[str, Option(help="The teacher to tune, trained to chat: a folder, or an id on the hub.")]
Out = Annotated[Path, Option(help="The run's folder; a run that was stopped in it goes on.")]
Gguf = Annotated[str | None, Option(help="Its weights as one GGUF file: a name in --model's folder, or a path.")]
Revision = Annotated[str | None, Option(help="The model's revision on the hub.")]
Shots = Annotated[
    int | None,
    Option(min=0, help="How many examples the prompt shows; all. A tuned model needs few; label with the same number."),
]
HeldOut = Annotated[
    float, Option(min=0.0, max=0.9, help="The share of rows, by whole families, that only judges; one family at least.")
]
Orders = Annotated[int, Option(min=1, max=8, help="In how many orders held-out rows are asked; averaged, as in label.")]
Epochs = Annotated[
    int, Option(min=1, help="How often each row is seen, each time in another order of its options. 1 to 3.")
]
Rank = Annotated[int, Option(min=1, help="Rank of the adapter: what it can hold. 8 to 32 for a few thousand rows.")]
Alpha = Annotated[int | None, Option(min=1, help="Scale of the adapter; twice the rank.")]
LearningRate = Annotated[
    float, Option("--lr", min=0.0, help="Peak learning rate; adapters take ten times that of full tuning.")
]
Batch = Annotated[int, Option(min=1, help="Examples on the device at once. Out of memory: halve it first.")]
Accumulation = Annotated[int, Option(min=1, help="So many batches make one step. Double it where you halve --batch.")]
MaxLength = Annotated[
    int, Option(min=16, help="Longer examples, in tokens, are left out and counted; cut ones would lose their answer.")
]
Checkpointing = Annotated[
    bool, Option("--gradient-checkpointing/--no-gradient-checkpointing", help="Half the memory, a third slower.")
]
SaveEvery = Annotated[int, Option(min=1, help="A checkpoint every so many steps; a killed run loses at most these.")]
