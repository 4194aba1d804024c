"""Capture of unsure turns for relabelling: what a child said is written to a file. Off unless somebody makes one."""

import calendar
import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tinyclf.decision import Decision

try:
    import fcntl
except ImportError:  # Windows: there several processes need a file each
    fcntl = None  # type: ignore[assignment]

PRIVATE = 0o600
DEFAULT_LIMIT = 50_000_000
DEFAULT_DAYS = 30.0
DAY = 86_400
LONGEST = 1 << 20
"""Bytes of a row that are looked at for its day; no request of the service is longer."""


class Capture:
    """Appends turns of which the student was unsure to a JSON Lines file that its owner alone can read.

    A row holds the turn, the day, and under ``guess`` what was decided, by whom and how confidently: never as labels,
    for it is what shall be corrected. When the file would pass ``limit`` bytes, or its first row is ``days`` old, it
    becomes ``NAME.1``, in place of an older one. So both together never take more than twice the limit, and where
    turns keep coming no row outlives twice the days; ``tidy`` sees to that where none come. Safe from many threads and
    processes. It never raises while the robot talks: what could not be written is counted in ``lost``.

    >>> capture = Capture("unsure.jsonl")
    >>> decision = clf(utterance, previous)
    >>> capture(decision, utterance, previous)
    """

    def __init__(self, path: Path | str, limit: int = DEFAULT_LIMIT, days: float = DEFAULT_DAYS) -> None:
        self.path, self.limit, self.days, self.lost = Path(path), limit, days, 0
        self._old = self.path.with_name(f"{self.path.name}.1")
        self._lock = threading.Lock()
        self.tidy()

    @staticmethod
    def wants(decision: Decision) -> bool:
        """Whether the student was unsure of the turn, whoever decided it in the end."""
        return decision.source == "teacher" or (decision.source == "student" and not decision.sure)

    def __call__(self, decision: Decision, utterance: str, previous: str = "", reply: str = "") -> bool:
        """Write the turn when the student was unsure of it; whether it was written."""
        if not self.wants(decision):
            return False
        turn = {"utterance": utterance, "previous": previous, "reply": reply}
        said = {name: text for name, text in turn.items() if text}
        guess = {**decision.labels, "confidence": round(decision.confidence, 4), "source": decision.source}
        row = {**said, "guess": guess, "day": time.strftime("%Y-%m-%d", time.gmtime())}
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                while not self._append(line):
                    pass
        except OSError:
            self.lost += 1
            return False
        return True

    def tidy(self) -> None:
        """Rotate the file when its first row is too old, and delete the older one when its last row is."""
        oldest = time.time() - self.days * DAY
        with contextlib.suppress(OSError), self._lock, self._opened(os.O_RDONLY) as handle:
            if self._is_mine(handle) and _first_day(handle) < oldest:
                self.path.replace(self._old)
        with contextlib.suppress(OSError):
            if self._old.stat().st_mtime < oldest:
                self._old.unlink()

    @contextlib.contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        """The file, locked against other processes."""
        handle = os.open(self.path, flags, PRIVATE)
        try:
            if fcntl:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def _is_mine(self, handle: int) -> bool:
        """Whether the file still has its name: another process may have rotated it before it could be locked."""
        return os.path.samestat(os.fstat(handle), self.path.stat())

    def _append(self, line: bytes) -> bool:
        """Write one line, or rotate and say that it is still to be written."""
        with self._opened(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as handle:
            size = os.fstat(handle).st_size
            if not self._is_mine(handle):
                return False
            if size and size + len(line) > self.limit:
                self.path.replace(self._old)
                return False
            if fcntl:  # where there are such permissions
                os.fchmod(handle, PRIVATE)
            if (written := os.write(handle, line)) < len(line):  # a full disk: half a line would spoil the next one
                os.ftruncate(handle, size)
                raise OSError(errno.ENOSPC, f"no space for the whole line, only for {written} bytes")
            return True


def _first_day(handle: int) -> float:
    """When the day of the first row began, in seconds since 1970; when it was last written where no day is told."""
    try:
        day = json.loads(os.pread(handle, LONGEST, 0).partition(b"\n")[0])["day"]
        return calendar.timegm(time.strptime(day, "%Y-%m-%d"))
    except (ValueError, KeyError, TypeError):
        return os.fstat(handle).st_mtime
