"""The options of the commands: name, type and what to know about each."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from tinyclf.llm import BACKENDS

Data = Annotated[
    str,
    Argument(
        metavar="INPUT",
        help="A .jsonl, .csv or .parquet file, a folder of them, or a `datasets` id (NAME:SPLIT).",
    ),
]
Out = Annotated[Path, Option(help="The job's folder; a job that was stopped in it goes on.")]
Labels = Annotated[Path | None, Option(help="Label set (TOML); without it the default one.")]
TextColumn = Annotated[str, Option(help="The column with the text.")]

# Which teacher, and how it is asked.
Backend = Annotated[str, Option(help=f"What kind of server the teacher runs on: {', '.join(BACKENDS)}.")]
Url = Annotated[str | None, Option(help="Its base URL, to /v1; without it the backend's usual one.")]
Model = Annotated[str, Option(help="The model's name there; not needed where there is but one.")]
Revision = Annotated[str, Option(help="The model's revision, for provenance; another one is another teacher.")]
Key = Annotated[str | None, Option(help="The variable that holds the API key; groq and openai have their own.")]
Style = Annotated[
    Literal["letter", "json"] | None,
    Option(help="letter: one token, soft labels. json: labels written out. By backend, letter where it can be."),
]
Orders = Annotated[int, Option(min=1, max=8, help="In how many orders the letters are asked; averaged.")]
Shots = Annotated[int | None, Option(min=0, help="How many of the label set's examples the prompt shows; all.")]
Separate = Annotated[bool, Option("--separate", help="json: one call for each head, in parallel.")]
Body = Annotated[str, Option(help='Further fields of every request, as JSON, such as {"reasoning_effort": "low"}.')]
Timeout = Annotated[float, Option(min=0.1, help="Seconds for one answer, all its calls together.")]
Unconstrained = Annotated[
    bool, Option("--unconstrained", help="json: go on with a server that ignores the constraint.")
]

# What becomes of its answers.
Prior = Annotated[
    Literal["none", "batch", "content-free"] | None,
    Option(help="Divide by the teacher's bias: its mean answer over the batch, or to turns without content."),
]
CalibrationFile = Annotated[
    Path | None,
    Option("--calibration", help="calibration.json of `audit`: its temperatures, and its prior without --prior."),
]

# How the job runs.
Engine = Annotated[
    Literal["asyncio", "ray"],
    Option(
        help="ray: on the cluster at RAY_ADDRESS, whose nodes must all see OUT, or on this machine; extra `ray`. "
        "OUT/ray holds the turns' words until they are labelled."
    ),
]
Workers = Annotated[int, Option(min=1, help="ray: how many actors share the rows in flight.")]
Concurrency = Annotated[int, Option(min=1, help="Rows in flight.")]
Attempts = Annotated[int, Option(min=1, help="How often a row is tried before this run gives it up.")]
Limit = Annotated[int | None, Option(min=1, help="Only the first so many rows.")]
Sample = Annotated[int | None, Option(min=1, help="Only so many rows, drawn at random.")]
Seed = Annotated[int, Option(help="Fixes all chance.")]
SkipBad = Annotated[bool, Option("--skip-bad", help="Go on without the bad rows instead of stopping at them.")]
DryRun = Annotated[bool, Option("--dry-run", help="Show the prompt, the counts and the estimated cost; ask nothing.")]
PriceIn = Annotated[float, Option(min=0, help="$ for a million tokens in, to show the cost.")]
PriceCached = Annotated[float | None, Option(min=0, help="The same for cached tokens, where they are cheaper.")]
PriceOut = Annotated[float, Option(min=0, help="The same for tokens out.")]
