"""Files are whole or not there: a full disk and a kill in mid-write leave the old file as it was."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinyclf.files import write_whole

# A file size limit makes the kernel refuse the write as a full disk does, and needs no mount.
FULL_DISK = """
import resource, sys
from pathlib import Path
from tinyclf.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_whole(Path(sys.argv[1]), b"x" * 1_000_000)
except OSError as error:
    print(type(error).__name__)
"""


def test_the_old_file_survives_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "OSError"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file"
    write_whole(path, "old")
    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b", "content")
    assert (tmp_path / "a" / "b").read_text() == "content"
