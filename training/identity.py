"""What makes a run this one: its rows, settings, label set and versions; and whether a folder holds it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tinyclf import LabelSet
from tinyclf.errors import DataError
from tinyclf.files import sha256
from training.lexicon import Lexicon
from training.rows import Row
from training.schedule import TEACHING
from training.split import Splits
from training.teacher import count_teachers

CONFIG = "config.json"


def identity(
    labels: LabelSet, splits: Splits, settings: Mapping[str, Any], lexicon: Lexicon | None = None
) -> dict[str, Any]:
    """Everything that decides a run, as JSON; ``DataError`` when a split that it needs is empty.

    ``settings`` are those of ``training.settings.Settings`` as a table. How a teacher's labels are learnt is left out
    where no row has any, and what a teacher said of a row where it said nothing.
    """
    parts = splits.parts()
    for name in ("train", "dev", "calibration"):
        if not parts[name]:
            raise DataError(f"no rows in the {name} split: more rows, or rows of more families, are needed")
    sources = [row.source for rows in parts.values() for row in rows if row.teacher]
    schedule = {key: value for key, value in settings["schedule"].items() if sources or key not in TEACHING}
    content = [[name, [_content(row) for row in rows]] for name, rows in parts.items()]
    return {
        "settings": {**settings, "schedule": schedule},
        "label_set": labels.source,
        "versions": {name: version(name) for name in ("torch", "sentencepiece")},
        "rows_sha256": sha256(json.dumps(content, ensure_ascii=True, default=dict).encode()),
        **({"lexicon_sha256": lexicon.digest} if lexicon else {}),
        **({"teachers": count_teachers(sources)} if sources else {}),
    }


def is_ours(folder: Path, config: dict[str, Any]) -> bool:
    """Whether the folder holds this run; ``DataError`` when it holds another, so that nothing is overwritten."""
    place = folder / CONFIG
    if not place.exists():
        return False
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{place}: damaged ({error}); give another --out or delete the folder") from error
    if found != (wanted := json.loads(json.dumps(config))):
        changed = ", ".join(key for key in wanted if found.get(key) != wanted[key])
        raise DataError(f"{folder}: holds a run of other {changed}; give another --out or delete the folder")
    return True


def _content(row: Row) -> list[Any]:
    return [asdict(row.turn), row.gold, *([row.teacher, row.weight] if row.teacher else [])]
