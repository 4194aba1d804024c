"""A robot's turn, inline: tinyclf decides, the robot acts at once, then its LLM starts to write."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from examples.robot import Robot
from examples.timeline import Timeline, show
from tinyclf import Classifier
from tinyclf.terminal import run_app
from tinyclf.turn import encodable

CONNECT_S = 2.0
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    text: Annotated[list[str] | None, typer.Option(help="What the child says; repeat it for more turns.")] = None,
    url: Annotated[str, typer.Option(help="Any OpenAI-compatible server.")] = "http://127.0.0.1:8080/v1",
    model: Annotated[str, typer.Option(help="Without it the first that the server lists.")] = "",
    language: Annotated[Literal["vi", "en"], typer.Option(help="In which the LLM answers.")] = "vi",
    bundle: Annotated[Path | None, typer.Option(help="Your own bundle; without it the one that ships.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="How long an answer may be.")] = 80,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds that a whole answer may take.")] = 30.0,
    plot: Annotated[Path | None, typer.Option(help="Write the timelines to this PNG; needs matplotlib.")] = None,
) -> None:
    """Talk with a robot that acts before its LLM says a word.

    In each turn tinyclf decides, the robot acts, and the LLM writes its answer
    in the mood that the label set's hint asks for; a timeline says when. What
    you type is the child's turn, until Ctrl-D, or give turns by --text.

    When the LLM fails, the robot has acted already: the example says so, goes
    on, and ends with 0. A key for the server is read from OPENAI_API_KEY.

    Examples:

      python -m benchmarks.local_llm --port 8080    (a small real LLM; leave it)

      python -m examples.robot_turn --language en

      python -m examples.robot_turn --text "con làm được rồi" --plot turns.png
    """
    if plot:
        from examples.plot import draw  # before anything is said, so that a missing matplotlib is known at once
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    robot = Robot(Classifier.load(bundle), url, model, language, max_tokens, deadline)
    turns: list[Timeline] = []
    with asyncio.Runner() as runner:
        with contextlib.suppress(Exception):  # so that the first turn is like the others; it says what is wrong
            runner.run(asyncio.wait_for(robot.connect(), CONNECT_S))
        try:
            for words in text or _lines():
                turns.append(runner.run(robot.turn(encodable(words))))
                show(turns[-1], Console())
        finally:
            runner.run(robot.llm.close())
            if plot and turns:
                draw(turns, robot.model, plot)


def _lines() -> Iterator[str]:
    """What is typed, line by line, until the end of the file."""
    with contextlib.suppress(EOFError):
        while True:
            if line := input("child: " if sys.stdin.isatty() else "").strip():
                yield line


if __name__ == "__main__":
    run_app(app, "python -m examples.robot_turn")
