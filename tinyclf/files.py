"""Files that are written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path | str, *, private: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path``; once the block has filled it, it is flushed to disk and takes its place.

    On any error the old file stays and nothing is left behind. ``private``: its owner alone may read it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o600 if private else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path | str, content: bytes | str, *, private: bool = False) -> None:
    """Write a file under a temporary name, flush it to disk and rename it; on any error the old file stays."""
    with whole_file(path, private=private) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, in hex (FIPS 180-4)."""
    return hashlib.sha256(data).hexdigest()
