"""Capture of unsure turns for relabelling: what a child said is written to a file. Off unless somebody makes one."""

import contextlib
import errno
import json
import os
import threading
from pathlib import Path

from tinyclf.decision import Decision

PRIVATE = 0o600
DEFAULT_LIMIT = 50_000_000


class Capture:
    """Appends turns of which the student was unsure to a JSON Lines file that its owner alone can read.

    A row holds the turn, and the student's guess and confidence under ``guess``: never as labels, for it is what shall
    be corrected. When the file would pass ``limit`` bytes it becomes ``NAME.1``, in place of an older one, so both
    together never take more than twice the limit. Safe from many threads and processes. It never raises while the
    robot talks: what could not be written is counted in ``lost``.

    >>> capture = Capture("unsure.jsonl")
    >>> decision = clf(utterance, previous)
    >>> capture(decision, utterance, previous)
    """

    def __init__(self, path: Path | str, limit: int = DEFAULT_LIMIT) -> None:
        self.path, self.limit, self.lost = Path(path), limit, 0
        self._lock = threading.Lock()

    def __call__(self, decision: Decision, utterance: str, previous: str = "", reply: str = "") -> bool:
        """Write the turn when the student was unsure of it; whether it was written."""
        if decision.sure or decision.source != "student":
            return False
        turn = {"utterance": utterance, "previous": previous, "reply": reply}
        said = {name: text for name, text in turn.items() if text}
        row = {**said, "guess": {**decision.labels, "confidence": round(decision.confidence, 4)}}
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError:
            self.lost += 1
            return False
        return True

    def _append(self, line: bytes) -> None:
        """One write call for one line, so that lines of several processes do not mix."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size + len(line) > self.limit:
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
        try:
            os.fchmod(handle, PRIVATE)
            if (written := os.write(handle, line)) < len(line):  # a full disk: half a line would spoil the next one
                os.ftruncate(handle, os.fstat(handle).st_size - written)
                raise OSError(errno.ENOSPC, "no space for the whole line")
        finally:
            os.close(handle)
