"""``python -m distill label``: the teacher labels a corpus."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer

from distill.calibration import read_calibration
from distill.commands import options, shared
from distill.commands.plan import show_plan
from distill.engine import run
from distill.job import TABLE, Job
from distill.journal import Journal
from distill.progress import Live, Prices
from distill.source import Source
from distill.teacher import Teacher
from tinyclf.terminal import console, say, stop_at_bad


def label(
    data: options.Data,
    out: options.Out,
    backend: options.Backend = "vllm",
    url: options.Url = None,
    model: options.Model = "",
    key: options.Key = None,
    revision: options.Revision = "",
    labels: options.Labels = None,
    text_column: options.TextColumn = "utterance",
    style: options.Style = None,
    orders: options.Orders = 2,
    shots: options.Shots = None,
    separate: options.Separate = False,
    prior: options.Prior = None,
    calibration: options.CalibrationFile = None,
    concurrency: options.Concurrency = 32,
    attempts: options.Attempts = 10,
    timeout: options.Timeout = 60.0,
    body: options.Body = "",
    limit: options.Limit = None,
    sample: options.Sample = None,
    seed: options.Seed = 0,
    price_in: options.PriceIn = 0.0,
    price_cached: options.PriceCached = None,
    price_out: options.PriceOut = 0.0,
    engine: options.Engine = "asyncio",
    workers: options.Workers = 2,
    unconstrained: options.Unconstrained = False,
    skip_bad: options.SkipBad = False,
    dry_run: options.DryRun = False,
) -> None:
    """Label turns with an LLM; the result is OUT/labels.parquet, for `python -m training fit --data OUT`.

    Every answer is in OUT/journal as soon as it comes. Kill the job whenever you like: the same command goes on, asks
    nothing twice, keeps the input's order, and asks again what failed. Another model, revision or prompt starts a
    journal of its own in the same folder. The journal holds digests of the turns, not their words.

    Examples:

      python -m distill label logs.jsonl --out labelled --dry-run

      python -m distill label logs.jsonl --out labelled --model microsoft/Phi-3-mini-4k-instruct

      python -m distill label logs.csv --out labelled --backend groq --model openai/gpt-oss-20b
    """
    source = Source(data, shared.label_set(labels), text_column, limit, sample, seed)
    stop_at_bad(source.bad, skip_bad, "label")
    teacher = Teacher(
        source.labels, backend, model, revision, url, shared.key_from(key), shared.style_for(backend, style),
        orders, shots, together=not separate, timeout=timeout, body=shared.body_from(body),
    )  # fmt: skip
    prices = Prices(price_in, price_out, price_cached)
    if dry_run:
        show_plan(source, teacher, prices, out)
        return
    teacher, findings = teacher.probed()
    shared.describe(findings)
    if not unconstrained:
        shared.refuse_unconstrained(findings)
    job = Job(out, source, teacher, findings, prior or "none")
    if calibration:
        found = read_calibration(calibration, job.provenance)
        job = replace(job, calibration=found, prior=prior or found.prior)
    with job.open_journal() as journal:
        asks = sum(1 for _ in job.asks(journal))
        try:
            with Live(asks, prices, console) as live:
                if engine == "ray":
                    from distill.ray_engine import run_on_ray

                    run_on_ray(job, journal, workers, concurrency, attempts, live)
                else:
                    asyncio.run(_run(job, journal, concurrency, attempts, live))
        except KeyboardInterrupt:
            say(f"stopped; every answer so far is in {journal.path}. The same command goes on from there.")
            raise typer.Exit(130) from None
        _sum_up(job.finish(journal), out, live)


async def _run(job: Job, journal: Journal, concurrency: int, attempts: int, live: Live) -> None:
    async with job.teacher.labeller() as labeller:
        await run(labeller, job.asks(journal), journal, concurrency, attempts, live)


def _sum_up(rows: Mapping[str, int], out: Path, live: Live) -> None:
    labelled, total = rows.get("labelled", 0), sum(rows.values())
    say(f"{out / TABLE}: {labelled:,} of {total:,} rows labelled; this run: {live.cost}")
    for queue in (out / "ray").glob("*/queue.parquet"):
        say(f"{queue}: left by a killed job on Ray, with what was said; finish that job or delete its folder")
    if labelled == total:
        say(f"next: python -m training fit --data {out} --out DIR")
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rows.items()) if reason != "labelled")
    say(f"without labels: {reasons}. The same command asks them again.")
    say(f"or go on without them: python -m training fit --data {out} --skip-bad --out DIR")
    raise typer.Exit(1)
