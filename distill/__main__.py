"""``python -m distill``: a teacher LLM labels utterances; its labels are audited; the teacher is fine-tuned."""

import sys

import typer

from distill.commands.finetune import finetune
from distill.commands.label import label
from distill.commands.probe import probe
from distill.commands.shared import say
from tinyclf import TinyclfError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (probe, label, finetune):
    app.command()(command)


def main() -> None:
    """Run the command; errors that we foresaw end with one line and exit code 1."""
    try:
        app(prog_name="python -m distill")
    except (TinyclfError, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
