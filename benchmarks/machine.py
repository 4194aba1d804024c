"""The machine and its load, which every result carries."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "onnxruntime", "sentencepiece", "torch", "scikit-learn")


def machine() -> dict[str, Any]:
    """Processor, cores, load, versions and day."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "versions": {name: version(name) for name in LIBRARIES},
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def in_words(found: dict[str, Any]) -> str:
    """The same in a line of Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    busy = found["load_before"][0] > 0.5 * (found["cores"] or 1)
    warning = " **The machine was busy when this began: read the ratios, not the figures.**" if busy else ""
    return (
        f"{found['processor']}, {found['cores']} cores, {found['system']}, Python {found['python']}, {versions}; "
        f"load average before {found['load_before'][0]}; {found['day']}.{warning}\n"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
