"""Files that are written whole or not at all."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_whole(path: Path | str, content: bytes | str) -> None:
    """Write a file under a temporary name, flush it to disk and rename it; on any error the old file stays."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, in hex (FIPS 180-4)."""
    return hashlib.sha256(data).hexdigest()
