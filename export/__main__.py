"""``python -m export``: make a bundle of a trained run."""

import sys
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from tinyclf import TinyclfError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.callback()
def _commands() -> None:
    """From a trained run to a bundle that tinyclf can load."""


@app.command()
def bundle(
    run: Annotated[Path, typer.Option(help="A finished run folder of `python -m training fit`.")],
    out: Annotated[Path, typer.Option(help="The bundle folder to write; an old bundle there is replaced whole.")],
    precision: Annotated[
        str, typer.Option(help="Of the tables: float32; float16, half the size; int8, a quarter.")
    ] = "float32",
    fold: Annotated[bool, typer.Option(help="Fold the convolution into the tables: faster, and exact.")] = True,
) -> None:
    """Export a run: ONNX model, tokenizer, manifest and model card, checked against torch before it is kept.

    Example: python -m export bundle --run runs/mine --out my-bundle
    """
    from export.bundle import export_bundle
    from export.quantise import Precision
    from training.fit import load_run

    if precision not in ("float32", "float16", "int8"):
        raise typer.BadParameter("float32, float16 or int8", param_hint="--precision")
    found = load_run(run)
    made, parity = export_bundle(found, out, found.test_turns(), cast(Precision, precision), fold)
    worst = max(parity.largest.values())
    size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    console.print(
        f"{made.path}: {size:.1f} MB; torch and ONNX differ by at most {worst:.1e} over {parity.turns} turns",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def main() -> None:
    """Run the command; errors that we foresaw end with one line and exit code 1."""
    try:
        app(prog_name="python -m export")
    except (TinyclfError, OSError) as error:
        console.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
