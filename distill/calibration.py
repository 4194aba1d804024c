"""What an audit on gold rows found best for one teacher: a prior and a temperature per question."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from distill.debias import Prior
from tinyclf.errors import DataError


@dataclass(frozen=True, slots=True)
class Calibration:
    """Belongs to one teacher and one prompt, and is refused for any other."""

    teacher: str
    revision: str
    prompt_sha256: str
    prior: Prior
    temperatures: Mapping[str, float]


def read_calibration(path: Path, provenance: Mapping[str, str]) -> Calibration:
    """A calibration of ``distill audit``; ``DataError`` when it is of another teacher or prompt."""
    try:
        found = Calibration(**json.loads(path.read_text(encoding="utf-8")))
        if found.prior not in get_args(Prior) or not all(t > 0 for t in found.temperatures.values()):
            raise ValueError("no known prior, or a temperature that is no positive number")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a calibration of `python -m distill audit`: {error}") from error
    for name in ("teacher", "revision", "prompt_sha256"):
        if (theirs := getattr(found, name)) != (ours := provenance[name]):
            raise DataError(f"{path}: fitted for {name} {theirs}, this job has {ours}; audit this teacher first")
    return found
