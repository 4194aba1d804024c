"""Put a bundle in its place whole: built beside it, swapped in at the end, and what was there stays on any error."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyclf.bundle import MANIFEST
from tinyclf.errors import TinyclfError


@contextmanager
def in_place_of(out: Path) -> Iterator[Path]:
    """A folder to build a bundle in, which takes the place of ``out`` when the block ends without an error.

    Raises ``TinyclfError`` when ``out`` holds anything but a bundle.
    """
    if out.exists() and not _is_bundle(out):
        raise TinyclfError(f"{out}: exists and is no bundle; give another --out or delete it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        fresh = Path(folder) / "bundle"
        yield fresh
        _swap(fresh, out, Path(folder) / "old")


def _is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle and nothing else, so that it may be replaced."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        known = {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return "label_set" in manifest and {path.name for path in folder.iterdir()} <= known


def _swap(fresh: Path, out: Path, old: Path) -> None:
    """Swap the folders; when the second rename fails the old bundle comes back."""
    if out.exists():
        out.rename(old)
    try:
        fresh.rename(out)
    except BaseException:
        if old.exists():
            old.rename(out)
        raise
