"""The ``tinyclf`` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyclf import check as timing
from tinyclf.capture import Capture
from tinyclf.classifier import Classifier
from tinyclf.pipe import decide_lines
from tinyclf.terminal import run_app
from tinyclf.turn import Turn

app = typer.Typer(
    help="Decide what a talking robot shows, from the child's words, in microseconds.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
BundleOption = Annotated[Path | None, typer.Option("--bundle", help="A bundle folder; without it the one that ships.")]
PointOption = Annotated[str, typer.Option("--point", help="The operating point: balanced or careful.")]
console = Console(width=None if sys.stdout.isatty() else 120)


@app.command()
def classify(
    text: Annotated[str | None, typer.Argument(help="What the child said; leave out with --jsonl.")] = None,
    previous: Annotated[str, typer.Option(help="The robot's turn just before.")] = "",
    reply: Annotated[str, typer.Option(help="The robot's answer, where it is known already.")] = "",
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="A turn a line on stdin, a decision a line on stdout.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Also confidence, probabilities, source and time.")] = False,
    capture: Annotated[
        Path | None,
        typer.Option(help="With --jsonl: append the turns that it is unsure of to this file. It holds what was said."),
    ] = None,
    bundle: BundleOption = None,
    point: PointOption = "balanced",
) -> None:
    """Decide one turn, or a stream of turns.

    Examples:

      tinyclf classify "con làm được rồi"

      tinyclf classify "bằng năm" --previous "Hai cộng ba bằng mấy?" --full

      echo '{"utterance": "hello pika", "previous": "Hi!"}' | tinyclf classify --jsonl
    """
    if jsonl == (text is not None):
        raise typer.BadParameter("give either TEXT or --jsonl")
    if capture and not jsonl:
        raise typer.BadParameter("--capture goes with --jsonl")
    classifier = Classifier.load(bundle, point)
    if text is not None:
        decision = classifier(text, previous, reply)
        print(json.dumps(decision.to_dict(), ensure_ascii=False) if full else decision.to_json())
        return
    bad, unsure = 0, Capture(capture) if capture else None
    for answer in decide_lines(classifier, sys.stdin.buffer, unsure):
        bad += isinstance(answer, str)
        shown = {"error": answer} if isinstance(answer, str) else answer.to_dict() if full else dict(answer.labels)
        print(json.dumps(shown, ensure_ascii=False), flush=True)
    if unsure and unsure.lost:
        print(f"{unsure.lost} unsure turns could not be written to {unsure.path}", file=sys.stderr)
    if bad:
        print(f"{bad} bad lines; each has an error in its place", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def demo(bundle: BundleOption = None, point: PointOption = "balanced") -> None:
    """Decide the example turns of the label set and print a table."""
    classifier = Classifier.load(bundle, point)
    table = Table(title=f"{classifier.labels.name}, operating point {point}", title_justify="left")
    table.add_column("turn")
    for name in (*(head.name for head in classifier.labels.heads), "confidence", "µs"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("confidence", "µs") else "left")
    for turn in _examples(classifier):
        decision = classifier(turn.utterance, turn.previous, turn.reply)
        shown = [_plain(value) for value in decision.labels.values()]
        table.add_row(_spoken(turn), *shown, f"{decision.confidence:.2f}", f"{decision.microseconds:.0f}")
    console.print(table)


@app.command()
def info(bundle: BundleOption = None) -> None:
    """Say what a bundle holds: label set, operating points with what they promise, model, provenance."""
    classifier = Classifier.load(bundle)
    manifest = classifier.bundle.manifest
    console.print(f"{classifier.bundle.path}", highlight=False, markup=False, soft_wrap=True)
    for head in classifier.labels.heads:
        console.print(f"  {head.name} ({head.kind}): {', '.join(head.names)}", highlight=False)
    for name, point in manifest["operating_points"].items():
        console.print(
            f"  point {name}: {json.dumps(point, ensure_ascii=False)}", highlight=False, markup=False, soft_wrap=True
        )
    for part in ("model", "files", "provenance"):
        console.print(
            f"  {part}: {json.dumps(manifest[part], ensure_ascii=False)}", highlight=False, markup=False, soft_wrap=True
        )


@app.command()
def check(
    bundle: BundleOption = None,
    count: Annotated[int, typer.Option(min=100, help="How many decisions to time.")] = 5000,
) -> None:
    """Time decisions on this machine; exit 1 when the 99th percentile is not under 5 ms."""
    classifier = Classifier.load(bundle)
    found = timing.time_decisions(classifier, _examples(classifier), count)
    figures = ", ".join(f"{name} {value:g}" for name, value in found.microseconds.items())
    console.print(f"{timing.host()}, load {found.load:.2f}, n = {count}", highlight=False)
    console.print(f"one decision, µs: {figures}", highlight=False)
    if not found.fast_enough:
        console.print(
            f"FAILED: P99 is {found.microseconds['p99'] / 1000:.1f} ms, the limit is {timing.LIMIT_MS:g} ms. "
            f"The load average is {found.load:.1f}: see whether other work holds the cores, then check again."
        )
        raise typer.Exit(1)
    console.print(f"passed: P99 is under {timing.LIMIT_MS:g} ms")


def _examples(classifier: Classifier) -> list[Turn]:
    return [example.turn for example in classifier.labels.examples] or [Turn("hello"), Turn("xin chào")]


def _spoken(turn: Turn) -> str:
    """The turn as a short dialogue: the robot's words in italics around the child's."""
    parts = [f"[i]{escape(turn.previous)}[/i]", escape(turn.utterance), f"[i]{escape(turn.reply)}[/i]"]
    return " – ".join(part for part in parts if part != "[i][/i]")


def _plain(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def main() -> None:
    """Run the command."""
    run_app(app, "tinyclf")
