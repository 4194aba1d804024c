"""The journal of a labelling job: append-only, one line an answer, whole after any kill."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from tinyclf.errors import DataError

Entry = dict[str, Any]
"""An answer (``raw``, ``mass``, costs) or a failure (``error``, a short reason), with the ``key`` of its turn."""

SYNC_SECONDS = 1.0
"""A kill of the process loses nothing; a power cut at most what was written in this time."""


class Journal:
    """Answers by key, in one JSON Lines file that only grows; the last entry of a key counts.

    Memory holds a place in the file for each key, not the entries. One process at a time may have it open to write;
    ``read_only`` reads what is there, beside it if need be, and changes nothing.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.failed: dict[str, str] = {}
        """The reason of every key whose last entry is a failure."""
        self._places: dict[str, int] = {}
        self._file = path.open("rb") if read_only else _opened(path)
        self._index(mend=not read_only)
        self._synced = time.monotonic()

    def __contains__(self, key: str) -> bool:
        """Whether there is an answer for the key; a failure is none."""
        return key in self._places and key not in self.failed

    def __getitem__(self, key: str) -> Entry:
        """The last entry of a key."""
        self._file.seek(self._places[key])
        entry: Entry = json.loads(self._file.readline())
        return entry

    def get(self, key: str) -> Entry | None:
        """The last entry of a key, or ``None``."""
        return self[key] if key in self._places else None

    def status(self, key: str) -> str:
        """``labelled``, ``not asked yet``, or the reason of the last failure."""
        return self.failed.get(key, "labelled" if key in self._places else "not asked yet")

    def add(self, entry: Entry) -> None:
        """Append an entry; it is with the system, safe from a kill of this process, when this returns."""
        self._file.seek(0, os.SEEK_END)
        place = self._file.tell()
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        self._note(entry, place)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Flush to disk and let others have the file."""
        if self._file.writable():
            os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.close()

    def _index(self, *, mend: bool) -> None:
        """Find every whole line; a last line that a kill cut off does not count, and is cut away to ``mend`` it."""
        self._file.seek(0)
        place = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                if mend:
                    self._file.truncate(place)
                break
            try:
                self._note(json.loads(line), place)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{self.path}:{number}: damaged; delete this line, its row is asked again") from error
            place += len(line)

    def _note(self, entry: Entry, place: int) -> None:
        key = entry["key"]
        self._places[key] = place
        if "error" in entry:
            self.failed[key] = entry["error"]
        else:
            self.failed.pop(key, None)


def _opened(path: Path) -> BinaryIO:
    """The file, to append to, and no other process's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise DataError(f"{path}: another job is writing it; wait for that one, or give another --out") from None
    return file
