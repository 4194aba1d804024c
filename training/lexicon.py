"""Word lists: words and short phrases that mean alike, so that a student knows words that no row has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyclf.errors import DataError
from tinyclf.files import sha256

LEXICON = Path(__file__).parent / "data" / "lexicon"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``classes`` in order, and for each entry the indices of those that it stands in."""

    classes: tuple[str, ...]
    entries: Mapping[str, frozenset[int]]

    @property
    def digest(self) -> str:
        """A SHA-256 of all of it."""
        content = repr((self.classes, sorted((entry, sorted(at)) for entry, at in self.entries.items())))
        return sha256(content.encode())


def read_lexicon(folder: Path = LEXICON) -> Lexicon:
    """Read a folder of lists: ``CLASS.txt``, an entry a line, in it or in folders below (one a language, say).

    ``DataError`` where there is no list or a list is not UTF-8.
    """
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise DataError(f"{folder}: no word lists (CLASS.txt, an entry a line)")
    classes = tuple(sorted({file.stem for file in files}))
    entries: dict[str, set[int]] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{file}: not UTF-8: {error}; save it as UTF-8") from error
        for entry in filter(None, map(str.strip, lines)):
            entries.setdefault(entry.lower(), set()).add(classes.index(file.stem))
    return Lexicon(classes, {entry: frozenset(at) for entry, at in entries.items()})
