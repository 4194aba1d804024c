"""What tinyclf costs to have: cold start, memory, wheel size: ``python -m benchmarks.footprint``."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import in_words, machine
from benchmarks.results import write_results
from tinyclf.tables import markdown

ROOT = Path(__file__).parent.parent
RUNS = 10
COLD = """
import time; start = time.perf_counter()
from tinyclf import Classifier; imported = time.perf_counter()
clf = Classifier.load(); loaded = time.perf_counter()
clf("con làm được rồi"); decided = time.perf_counter()
import json, resource, sys
print(json.dumps({"import s": imported - start, "load s": loaded - imported, "first decision s": decided - loaded,
    "all s": decided - start, "RSS MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "torch": "torch" in sys.modules}))
"""


def main() -> None:
    """Measure and write results/footprint.{json,md}."""
    host = machine()
    cold = [_cold() for _ in range(RUNS)]
    if any(run.pop("torch") for run in cold):
        raise SystemExit("torch was imported by tinyclf: it must not be")
    wheel = _wheel_megabytes()
    found: dict[str, Any] = {"machine": host, "runs": RUNS, "cold": cold, "wheel MB": wheel}
    columns = {key: [run[key] for run in cold] for key in cold[0]}
    rows = [[key, f"{statistics.median(values):.3g}", f"{max(values):.3g}"] for key, values in columns.items()]
    text = (
        f"# Footprint\n\n{in_words(host)}\nImport, load and first decision in a fresh process, {RUNS} runs, no torch "
        f"imported:\n\n{markdown(['', 'median', 'largest'], rows)}\n"
        f"The wheel with the default bundle: {wheel:.2f} MB.\n"
    )
    write_results("footprint", found, text)


def _cold() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, check=True, text=True, cwd=ROOT)
    return dict(json.loads(done.stdout))


def _wheel_megabytes() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, str(ROOT)]
        subprocess.run(command, check=True)
        return next(Path(folder).glob("*.whl")).stat().st_size / 1e6


if __name__ == "__main__":
    main()
