"""What a folder looks like from outside: whether something was written or moved there."""

from pathlib import Path

Print = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of every file: enough to see that something was written or moved there."""


def fingerprint(folder: Path | None) -> Print:
    """What the folder's files look like from outside; nothing where there is no folder."""
    try:
        paths = sorted(folder.iterdir()) if folder else []
        stats = [(path.name, path.stat()) for path in paths]
    except OSError:  # it is being replaced at this moment
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
