"""What the driver and Ray's workers hand each other: a queue, parts, and a word that stops all; files in one folder."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distill.engine import Ask
from distill.journal import Entry, Journal
from distill.table import KEY
from tinyclf import Turn
from tinyclf.errors import LlmError
from tinyclf.files import whole_file, write_json

GROUP = 4096
TURN, ENTRY = "turn", "entry"
QUEUE = pa.schema([(KEY, pa.string()), (TURN, pa.string())])
PART = pa.schema([(KEY, pa.string()), (ENTRY, pa.string())])


@dataclass(frozen=True, slots=True)
class Exchange:
    """A folder that the driver and all workers see.

    The queue holds what children said, because the workers read it. It goes away when all its rows are done.
    """

    folder: Path

    @property
    def queue(self) -> Path:
        """The rows to ask. While this file is there, its rows are not all done."""
        return self.folder / "queue.parquet"

    @property
    def parts(self) -> Path:
        """Entries that are not in the journal yet."""
        return self.folder / "parts"

    @property
    def checkpoint(self) -> Path:
        """Ray's list of the keys that are in a part."""
        return self.folder / "checkpoint"

    @property
    def fatal(self) -> Path:
        """Why no further row shall be asked; there only when that is so."""
        return self.folder / "fatal.json"

    def fill(self, asks: Iterable[Ask]) -> bool:
        """Write the queue, whole or not at all; false when there is nothing to ask."""
        self.clear()
        rows = ({KEY: key, TURN: packed(turn)} for key, turn in asks)
        if not (group := list(islice(rows, GROUP))):
            return False
        with whole_file(self.queue, private=True) as temporary, pq.ParquetWriter(temporary, QUEUE) as writer:
            while group:
                writer.write_table(pa.Table.from_pylist(group, QUEUE))
                group = list(islice(rows, GROUP))
        return True

    def collect(self, journal: Journal, each: Callable[[Entry], None]) -> None:
        """Move all entries from whole parts to the journal; a part that is still being written waits."""
        for part in sorted(self.parts.glob("*.parquet")):
            for entry in _entries(part):
                if entry["key"] not in journal:
                    journal.add(entry)
                    each(entry)

    def stop(self, error: LlmError) -> None:
        """Let no worker ask another row."""
        write_json(self.fatal, {"reason": error.reason, "message": str(error)})

    def raise_fatal(self) -> None:
        """Raise the ``LlmError`` that stopped the workers, if one did."""
        if self.fatal.exists():
            raise LlmError(**json.loads(self.fatal.read_text(encoding="utf-8")), fatal=True)

    def clear(self) -> None:
        """Remove everything, the queue first: a kill in between must not leave a queue without its checkpoint."""
        self.queue.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def packed(turn: Turn) -> str:
    """A turn as ASCII, for Parquet cannot hold every ``str``."""
    return json.dumps(astuple(turn))


def unpacked(text: str) -> Turn:
    """The turn again."""
    return Turn(*json.loads(text))


def _entries(part: Path) -> Iterator[Entry]:
    """The entries of a part, which is deleted after the last one; none while the part is not whole."""
    try:
        texts = pq.read_table(part, columns=[ENTRY])[ENTRY].to_pylist()
    except (OSError, pa.ArrowInvalid):
        return
    yield from map(json.loads, texts)
    part.unlink(missing_ok=True)
