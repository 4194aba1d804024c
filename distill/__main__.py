"""``python -m distill``: a teacher LLM labels utterances; its labels are audited; the teacher is fine-tuned."""

import typer

from distill.commands.audit import audit
from distill.commands.finetune import finetune
from distill.commands.label import label
from distill.commands.probe import probe
from tinyclf.terminal import run_app

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (probe, label, audit, finetune):
    app.command()(command)


if __name__ == "__main__":
    run_app(app, "python -m distill")
