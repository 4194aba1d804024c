"""A labelling job in its folder: what is asked of whom, the journal, and the table made from it."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.calibration import Calibration
from distill.debias import CONTENT_FREE, Debias, Prior, mean_answers
from distill.engine import Ask, pending
from distill.journal import Journal
from distill.source import Source, key_of
from distill.table import schema, write_table
from distill.teacher import Teacher
from tinyclf import __version__
from tinyclf.calibration import Floats
from tinyclf.errors import DataError
from tinyclf.files import sha256, write_json
from tinyclf.llm import Findings

TABLE, REPORT = "labels.parquet", "job.json"
FORMAT = 1
"""Of the journal's entries; entries of another form are answers that cannot be read."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to label, the probed teacher that does, and how its answers become soft labels."""

    folder: Path
    source: Source
    teacher: Teacher
    findings: Findings
    prior: Prior = "none"
    calibration: Calibration | None = None

    @property
    def provenance(self) -> Mapping[str, str]:
        """Who answered, and to what: every row carries it."""
        return {
            "teacher": self.teacher.model,
            "revision": self.teacher.revision,
            "prompt_sha256": self.teacher.prompt_sha256,
        }

    @property
    def fingerprint(self) -> str:
        """The digest of all that an answer depends on besides its turn: model, revision, kind of server and prompt."""
        asked = {"format": FORMAT, "backend": self.teacher.backend, **self.provenance}
        return sha256(json.dumps(asked, sort_keys=True).encode())

    def open_journal(self) -> Journal:
        """The journal of this model and prompt; another model or prompt has another, so that answers never mix.

        ``DataError`` when the folder holds the table of another input, which would be replaced.
        """
        schema(self.source.labels)
        with contextlib.suppress(OSError, ValueError):
            there = json.loads((self.folder / REPORT).read_text(encoding="utf-8"))["input"]
            if there != self.source.data:
                raise DataError(f"{self.folder}: holds the labels of {there}; give another --out")
        return Journal(self.folder / "journal" / f"{self.fingerprint[:16]}.jsonl")

    def asks(self, journal: Journal) -> Iterator[Ask]:
        """What is still to ask: the content-free turns where the prior needs them, then the rows."""
        if self.prior == "content-free":
            yield from ((key, turn) for turn in CONTENT_FREE if (key := key_of(turn)) not in journal)
        yield from pending(self.source, journal)

    def finish(self, journal: Journal) -> Mapping[str, int]:
        """Write the table and the report; how many rows are labelled, and how many are not for which reason."""
        debias = Debias(self._means(journal), self.calibration.temperatures if self.calibration else {})
        path, labels = self.folder / TABLE, self.source.labels
        rows = write_table(path, labels, self.source, journal, debias, self.provenance)
        found: dict[str, Any] = {
            **self.provenance,
            "server": self.findings.server,
            "backend": self.teacher.backend,
            "style": self.teacher.style,
            "input": self.source.data,
            "rows": dict(rows),
            "prior": {"kind": self.prior, "means": {key: mean.tolist() for key, mean in debias.prior.items()}},
            "temperatures": dict(debias.temperatures),
            "findings": asdict(self.findings),
            "journal": journal.path.name,
            "label_set": self.source.labels.source,
            "tinyclf": __version__,
        }
        write_json(self.folder / REPORT, found)
        return rows

    def _means(self, journal: Journal) -> dict[str, Floats]:
        keys: Iterable[str] = ()
        if self.prior == "content-free":
            keys = map(key_of, CONTENT_FREE)
        elif self.prior == "batch":
            keys = dict.fromkeys(item.key for item in self.source)
        means = mean_answers(journal[key]["raw"] for key in keys if key in journal)
        if self.prior == "content-free" and not means:
            raise DataError("no turn without content was answered, so there is no prior; run the same command again")
        return means
