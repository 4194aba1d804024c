"""How fast and how safely ``distill label`` works off many rows: ``python -m benchmarks.labelling``.

The LLM server is a stub with a fixed latency, so the ideal time is known: rows · latency / rows in flight.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import typer

from benchmarks.machine import in_words, machine
from benchmarks.results import console, write_results
from tinyclf.files import write_whole
from tinyclf.tables import markdown

FAULTS = {"429": 0.05, "500": 0.05, "timeout": 0.05, "broken": 0.05, "drop": 0.05}
LATENCY, IN_FLIGHT, TIMEOUT = 0.2, 64, 2.0


def main(rows: Annotated[int, typer.Option(help="How many rows.")] = 10_000) -> None:
    """Label rows against a healthy and a faulty stub and write results/labelling.{json,md}."""
    host = machine()
    found: dict[str, Any] = {
        "machine": host, "rows": rows, "latency_s": LATENCY, "in_flight": IN_FLIGHT,
        "ideal_s": rows * LATENCY / IN_FLIGHT, "runs": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        turns = ({"id": f"r{i}", "utterance": f"con kể chuyện số {i} cho pika nghe nè"} for i in range(rows))
        write_whole(data, "".join(json.dumps(turn, ensure_ascii=False) + "\n" for turn in turns))
        for name, faults in (
            ("healthy", {}),
            ("5 % each of 429, 500, timeout, broken JSON, dropped connection", FAULTS),
        ):
            found["runs"][name] = _run(data, Path(folder) / f"out-{len(faults)}", faults)
            console.print(name, found["runs"][name])
    write_results("labelling", found, _text(found))


def _run(data: Path, out: Path, faults: dict[str, float]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.stub_llm", "--latency", str(LATENCY), "--stall", str(2 * TIMEOUT)]
    stub = subprocess.Popen([*command, "--faults", json.dumps(faults)], stdout=subprocess.PIPE, text=True)
    try:
        assert stub.stdout is not None  # noqa: S101
        url = stub.stdout.readline().strip()
        started = time.monotonic()
        job = subprocess.Popen(
            [sys.executable, "-m", "distill", "label", str(data), "--out", str(out), "--backend", "openai", "--style",
             "json", "--url", url, "--concurrency", str(IN_FLIGHT), "--timeout", str(TIMEOUT), "--shots", "0"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        memory = []
        while job.poll() is None:
            memory.append((time.monotonic() - started, _resident(job.pid)))
            time.sleep(0.5)
        seconds = time.monotonic() - started
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:  # noqa: S310
            stats = json.load(reply)
    finally:
        stub.kill()
    table = pq.read_table(out / "labels.parquet", columns=["id", "error", "attempts"]).to_pylist()
    settled = [mb for at, mb in memory if mb and 0.2 * seconds < at < 0.9 * seconds]
    return {
        "exit": job.returncode,
        "seconds": round(seconds, 1),
        "rows": len(table),
        "different rows": len({row["id"] for row in table}),
        "without labels": dict(Counter(row["error"] for row in table if row["error"])),
        "calls": sum(stats["asked"].values()),
        "injected": stats["injected"],
        "most attempts": max(row["attempts"] for row in table),
        "memory_mb": {"at 20 %": settled[0], "at 90 %": settled[-1], "largest": max(mb for _, mb in memory)},
    }


def _resident(pid: int) -> float:
    """Resident memory in MB; 0 when the process has just gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return round(int(match[1]) / 1024, 1) if match else 0.0


def _text(found: dict[str, Any]) -> str:
    rows = [
        [
            name, f"{run['seconds']:.1f}", f"{run['seconds'] / found['ideal_s']:.2f}", run["different rows"],
            sum(run["without labels"].values()), run["calls"], sum(run["injected"].values()), run["most attempts"],
            *(run["memory_mb"][key] for key in ("at 20 %", "at 90 %", "largest")),
        ]
        for name, run in found["runs"].items()
    ]  # fmt: skip
    header = ["server", "seconds", "of ideal", "different rows in the table", "without labels", "calls", "faults",
              "most attempts of a row", "MB at 20 %", "MB at 90 %", "MB at most"]  # fmt: skip
    return (
        f"# Labelling\n\n{in_words(found['machine'])}\n"
        f"{found['rows']:,} rows in JSON style, one call a row, {found['in_flight']} in flight, against a stub server "
        f"that answers after {found['latency_s'] * 1000:.0f} ms and runs on the same cores. Ideal: "
        f"{found['ideal_s']:.1f} s. The seconds are those of the whole command: start, check of the input, probe, "
        f"labelling, table. A timeout is one of {TIMEOUT:g} s, so faults cost time by themselves.\n\n"
        + markdown(header, rows)
    )


if __name__ == "__main__":
    typer.run(main)
