"""The run's folder: what is in it, and whose it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyclf.errors import DataError
from tinyclf.files import write_json

RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Folder:
    """``RUN``: what makes the run this one; ``finetune.json``: its figures, there once all is done."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where the trainer keeps its checkpoints."""
        return self.path / "checkpoints"

    @property
    def merged(self) -> Path:
        """The model with the adapter merged into its weights."""
        return self.path / "merged"

    @property
    def report(self) -> Path:
        """The figures."""
        return self.path / "finetune.json"

    @property
    def before(self) -> Path:
        """The scores of the model as it came, so that a resumed run need not find them again."""
        return self.path / "before.json"

    def check(self, identity: Mapping[str, Any]) -> None:
        """See that the folder is empty or holds this very run; ``DataError`` when it holds anything else."""
        place, wanted = self.path / RUN, json.loads(json.dumps(identity))
        if not place.exists():
            if self.path.exists() and any(self.path.iterdir()):
                raise DataError(f"{self.path}: holds files but no fine-tuning run; give another --out")
            return
        found = read_json(place)
        if changed := [key for key in wanted if found.get(key) != wanted[key]]:
            raise DataError(
                f"{self.path}: holds a run with another {', '.join(changed)}; give another --out or delete the folder"
            )

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Make the folder this run's, once it is known that the run can begin."""
        write_json(self.path / RUN, identity)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that this run wrote; ``DataError`` when it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: damaged ({error}); give another --out or delete the folder") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: damaged; give another --out or delete the folder")
    return found
