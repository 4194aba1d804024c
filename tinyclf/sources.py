"""Read raw records from JSON Lines, CSV, Parquet, a folder of those, or a ``datasets`` id."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyclf.errors import DataError

Record = tuple[str, dict[str, Any] | None, str]
"""Place (``file:line``), the record, and why there is none when it could not be read."""

SUFFIXES = (".jsonl", ".csv", ".parquet")


def read_records(source: str) -> Iterator[Record]:
    """Yield every record of a file, a folder (its files in order of name) or a ``datasets`` id such as ``name:split``.

    A broken line is yielded with its reason and reading goes on; ``DataError`` when the source cannot be opened.
    """
    path = Path(source)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        if not found:
            raise DataError(f"{path}: holds no {', '.join(SUFFIXES)} file")
        for file in found:
            yield from _read_file(file)
    elif path.suffix in SUFFIXES or path.exists():
        yield from _read_file(path)
    else:
        yield from _read_hub(source)


def _read_file(path: Path) -> Iterator[Record]:
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())  # places are for people: short ones
    reader = {".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}.get(path.suffix)
    if reader is None:
        raise DataError(f"{path}: unknown kind of file; use {', '.join(SUFFIXES)}")
    try:
        yield from reader(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_jsonl(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            place = f"{path}:{number}"
            if not line.strip():
                yield place, None, "blank line"
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                ended = "" if line.endswith(b"\n") else "; the file ends in mid-line, so it was probably cut off"
                yield place, None, f"not JSON ({_why(error)}){ended}"
                continue
            yield (place, record, "") if isinstance(record, dict) else (place, None, "not a JSON object")


def _why(error: Exception) -> str:
    """The reason without the text around it."""
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__


def _read_csv(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        csv.field_size_limit(sys.maxsize)
        reader = csv.DictReader(file)
        for record in reader:
            place = f"{path}:{reader.line_num}"
            if None in record or None in record.values():
                yield place, None, f"{len(reader.fieldnames or ())} columns expected, the row has more or fewer"
            else:
                yield place, dict(record), ""


def _read_parquet(path: Path) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a whole Parquet file: {error}") from error
    number = 0
    try:
        for batch in file.iter_batches():
            for record in batch.to_pylist():
                number += 1
                yield f"{path}:row {number}", record, ""
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged after row {number}: {type(error).__name__}") from None


def _read_hub(source: str) -> Iterator[Record]:
    try:
        import datasets
    except ImportError:
        raise DataError(f"{source}: no such file; for a `datasets` id first pip install datasets") from None
    name, _, split = source.partition(":")
    try:
        data = datasets.load_dataset(name, split=split or "train")
    except Exception as error:  # the library raises a dozen kinds, from the network's to its own
        raise DataError(f"{source}: no such file, and not a `datasets` id that can be loaded: {error}") from error
    named = {key: feature for key, feature in data.features.items() if hasattr(feature, "int2str")}
    for number, record in enumerate(data):
        texts = {key: feature.int2str(record[key]) for key, feature in named.items() if record[key] is not None}
        yield f"{source}:row {number + 1}", {**record, **texts}, ""
