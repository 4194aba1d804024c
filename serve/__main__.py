"""The command ``python -m serve``."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from serve.keys import read_keys
from serve.settings import LlmSettings, Settings
from serve.teacher import cascade_of
from serve.workers import serve
from tinyclf import Classifier
from tinyclf.capture import DEFAULT_DAYS, DEFAULT_LIMIT, PRIVATE
from tinyclf.terminal import run_app, say

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Backend = Literal["vllm", "trtllm", "groq", "llamacpp", "openai"]
LLM, SAFE, LIMITS = "LLM, where the student is unsure", "Who may ask, what is kept", "Limits"


@app.command()
def main(
    host: Annotated[str, typer.Option(help="The address to listen to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8060,
    workers: Annotated[int, typer.Option(min=1, help="Processes; one decides thousands of turns a second.")] = 1,
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle folder, watched and swapped when it changes; without it the built-in.")
    ] = None,
    point: Annotated[str, typer.Option(help="The operating point: balanced or careful.")] = "balanced",
    llm: Annotated[Backend | None, typer.Option(help="The kind of server to ask.", rich_help_panel=LLM)] = None,
    llm_url: Annotated[str | None, typer.Option(help="Its base URL, to /v1.", rich_help_panel=LLM)] = None,
    llm_model: Annotated[str, typer.Option(help="The model's name there.", rich_help_panel=LLM)] = "",
    llm_style: Annotated[
        Literal["letter", "json"], typer.Option(help="One token with log-probabilities, or JSON.", rich_help_panel=LLM)
    ] = "letter",
    llm_shots: Annotated[
        int | None, typer.Option(min=0, help="Examples in its prompt; all.", rich_help_panel=LLM)
    ] = None,
    hedge: Annotated[
        Backend | None, typer.Option(help="A second server, asked when the first is late.", rich_help_panel=LLM)
    ] = None,
    hedge_url: Annotated[str | None, typer.Option(help="Its base URL.", rich_help_panel=LLM)] = None,
    hedge_model: Annotated[str, typer.Option(help="The model's name there.", rich_help_panel=LLM)] = "",
    deadline_ms: Annotated[
        float, typer.Option(min=1, help="The whole decision, the LLM's part in it included.", rich_help_panel=LLM)
    ] = 50.0,
    llm_in_flight: Annotated[
        int, typer.Option(min=1, help="Questions under way in a process; more are not asked.", rich_help_panel=LLM)
    ] = 4,
    llm_failure_rate: Annotated[
        float, typer.Option(min=0.01, help="Opens the breaker; above 1 it never opens.", rich_help_panel=LLM)
    ] = 0.5,
    llm_open_s: Annotated[
        float, typer.Option(min=0, help="Seconds until an open breaker probes.", rich_help_panel=LLM)
    ] = 5.0,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Bearer keys, one a line; also TINYCLF_API_KEYS, with commas.", rich_help_panel=SAFE),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen to other machines without keys.", rich_help_panel=SAFE)
    ] = False,
    capture: Annotated[
        Path | None,
        typer.Option(help="Append unsure turns to this file. It holds what children said.", rich_help_panel=SAFE),
    ] = None,
    capture_mb: Annotated[
        float, typer.Option(min=0.01, help="Its size before it is rotated.", rich_help_panel=SAFE)
    ] = DEFAULT_LIMIT / 1e6,
    capture_days: Annotated[
        float, typer.Option(min=1, help="Its age before it is rotated, and deleted.", rich_help_panel=SAFE)
    ] = DEFAULT_DAYS,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.", rich_help_panel=LIMITS)] = 1 << 20,
    max_turns: Annotated[int, typer.Option(min=1, help="Turns of a batch.", rich_help_panel=LIMITS)] = 256,
    max_in_flight: Annotated[
        int, typer.Option(min=1, help="Requests in a process; more get 503.", rich_help_panel=LIMITS)
    ] = 256,
    drain_s: Annotated[
        float, typer.Option(min=0, help="Seconds of sending clients away before it stops.", rich_help_panel=LIMITS)
    ] = 1.0,
    log_level: Annotated[Literal["debug", "info", "warning", "error"], typer.Option(help="What is logged.")] = "info",
) -> None:
    """Serve decisions over HTTP: /v1/classify, a drop-in /v1/chat/completions, /metrics, and a playground at /.

    Examples:

      python -m serve

      python -m serve --host 0.0.0.0 --key-file keys.txt --workers 2 --bundle my-bundle

      python -m serve --llm vllm --llm-model microsoft/Phi-3-mini-4k-instruct --deadline-ms 50

    SIGUSR1 loads the bundle folder anew, SIGTERM drains and stops, SIGHUP restarts the workers one by one.
    """
    try:
        keys = read_keys(key_file, os.environ.get("TINYCLF_API_KEYS", ""))
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    if not (keys or insecure or _is_this_machine(host)):
        raise typer.BadParameter(
            f"{host} lets other machines in: give --key-file or TINYCLF_API_KEYS, or say --insecure",
            param_hint="--host",
        )
    if hedge and not llm:
        raise typer.BadParameter("a hedge needs a first one: give --llm", param_hint="--hedge")
    settings = Settings(
        bundle=bundle, point=point, keys=keys, max_body=max_body, max_turns=max_turns, max_in_flight=max_in_flight,
        llm=LlmSettings(llm, llm_model, llm_url, llm_style, llm_shots) if llm else None,
        hedge=LlmSettings(hedge, hedge_model, hedge_url, llm_style, llm_shots) if hedge else None,
        deadline=deadline_ms / 1000, llm_in_flight=llm_in_flight, failure_rate=llm_failure_rate, open_for=llm_open_s,
        capture=capture, capture_limit=int(capture_mb * 1e6), capture_days=capture_days, drain=drain_s,
    )  # fmt: skip
    try:  # here, so that what is wrong is told in one line, once
        cascade_of(settings, Classifier.load(bundle, point), lambda outcome: None)
    except (ValueError, ImportError, UnicodeError) as error:
        raise typer.BadParameter(str(error), param_hint="--llm") from None
    if capture:
        os.close(os.open(capture, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE))
        say(f"unsure turns are written to {capture}: it holds what children said")
    serve(settings, host, port, workers, log_level)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    run_app(app, "python -m serve")
