"""``python -m export``: make a bundle of a trained run, and let it replace another one."""

from pathlib import Path
from typing import Annotated, cast

import typer

from tinyclf.terminal import run_app, say

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


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
    fold: Annotated[bool, typer.Option(help="Fold the filters into the tables: faster, and exact.")] = True,
) -> None:
    """Export a run: ONNX model, tokenizer, manifest and model card, checked against torch before it is kept.

    Example: python -m export bundle --run runs/mine --out my-bundle
    """
    from export.bundle import export_bundle
    from export.quantise import Precision
    from training.run import load_run

    if precision not in ("float32", "float16", "int8"):
        raise typer.BadParameter("float32, float16 or int8", param_hint="--precision")
    found = load_run(run)
    made, parity = export_bundle(found, out, found.test_turns(), cast(Precision, precision), fold)
    worst = max(parity.largest.values())
    size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    say(f"{made.path}: {size:.1f} MB; torch and ONNX differ by at most {worst:.1e} over {parity.turns} turns")


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="The new bundle, as `python -m export bundle` wrote it.")],
    replaces: Annotated[Path, typer.Option(help="The bundle in use, which it replaces.")],
    comparison: Annotated[
        Path, typer.Option(help="The compare.json of `python -m training compare REPLACES CANDIDATE --out DIR`.")
    ],
    out: Annotated[Path, typer.Option(help="The bundle folder to write; it may be that of the bundle in use.")],
    force: Annotated[bool, typer.Option("--force", help="Promote it although the comparison says worse.")] = False,
) -> None:
    """Let a candidate replace a bundle: the same model, with its lineage in manifest and model card.

    The lineage names the bundles before it by the SHA-256 of their manifests, newest last, each with the comparison
    that the change rests on. It is refused when the comparison is of other bundles or says that the candidate is worse.

    Example:

      python -m export bundle --run runs/new --out candidate

      python -m training compare my-bundle candidate --data gold.jsonl --out compared

      python -m export promote candidate --replaces my-bundle --comparison compared/compare.json --out my-bundle
    """
    from export.promote import promote as run_promote

    made = run_promote(candidate, replaces, comparison, out, force=force)
    before = made.manifest["lineage"]
    last = before[-1]["comparison"]
    lines = [f"{made.path}: bundles before it: {len(before)}; the comparison says: {last['verdict']}", *last["reasons"]]
    say("\n- ".join(lines))


if __name__ == "__main__":
    run_app(app, "python -m export")
