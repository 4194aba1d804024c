"""The table of a labelling job: every input row once, in the input's order, with its labels or the reason for none."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distill.debias import Debias, to_heads
from distill.journal import Entry, Journal
from distill.source import KEPT, Item
from tinyclf import LabelSet
from tinyclf.errors import DataError
from tinyclf.files import whole_file
from tinyclf.records import most_likely
from tinyclf.turn import SEGMENTS, encodable

GROUP = 4096
KEY = "key"
"""The column by which a row finds its answer in the journal."""
NUMBERS = {"label_mass": pa.float64(), "margin": pa.float64(), "latency_ms": pa.float64(), "attempts": pa.int32()}
TOKENS = ("tokens_in", "tokens_cached", "tokens_out")
PROVENANCE = ("teacher", "revision", "prompt_sha256")
LAST = ("server", "error")


def schema(labels: LabelSet) -> pa.Schema:
    """The columns: the turn, soft labels and gold per head, how sure, where from, at what cost."""
    fields: dict[str, pa.DataType] = dict.fromkeys((*KEPT, *SEGMENTS, KEY), pa.string())
    for head in labels.heads:
        fields[head.name] = pa.struct([(name, pa.float64()) for name in head.names])
        fields[f"{head.name}_gold"] = pa.string() if head.kind == "one-of" else pa.list_(pa.string())
    fields |= NUMBERS | dict.fromkeys(TOKENS, pa.int32()) | dict.fromkeys((*PROVENANCE, *LAST), pa.string())
    own = (*KEPT, *SEGMENTS, KEY, *NUMBERS, *TOKENS, *PROVENANCE, *LAST)
    if len(fields) < len(own) + 2 * len(labels.heads):
        taken = [head.name for head in labels.heads if head.name in own]
        raise DataError(f"a head's name is that of another column ({', '.join(taken) or 'HEAD_gold'}): rename the head")
    return pa.schema(list(fields.items()))


def write_table(
    path: Path, labels: LabelSet, items: Iterable[Item], journal: Journal, debias: Debias, provenance: Mapping[str, str]
) -> Counter[str]:
    """Write the table as Parquet, whole or not at all, a group of rows at a time.

    Returns how many rows are ``labelled``, and how many are not for which reason.
    """
    counts: Counter[str] = Counter()
    with whole_file(path, private=True) as temporary, pq.ParquetWriter(temporary, schema(labels)) as writer:
        rows = _rows(labels, items, journal, debias, provenance)
        while group := list(islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, writer.schema))
            counts.update(row.get("error") or "labelled" for row in group)
    return counts


def _rows(
    labels: LabelSet, items: Iterable[Item], journal: Journal, debias: Debias, provenance: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for item in items:
        row: dict[str, Any] = {
            **item.kept,
            **{name: _text(getattr(item.turn, name)) for name in SEGMENTS},
            KEY: item.key,
        }
        for head in labels.heads:
            if head.name in item.gold:
                gold = most_likely(head, item.gold[head.name])
                row[f"{head.name}_gold"] = gold if isinstance(gold, str) else list(gold)
        entry = journal.get(item.key)
        yield row | dict(provenance) | (_answered(labels, entry, debias) if entry else {"error": "not asked yet"})


def _answered(labels: LabelSet, entry: Entry, debias: Debias) -> dict[str, Any]:
    if "error" in entry:
        return {"error": entry["error"], "attempts": entry["attempts"], "server": entry["server"]}
    heads, margin = to_heads(labels, debias(entry["raw"]))
    return {
        **heads,
        "label_mass": entry["mass"],
        "margin": None if entry["mass"] is None else margin,
        "latency_ms": entry["ms"],
        "attempts": entry["attempts"],
        "server": entry["server"],
        **dict(zip(TOKENS, entry["tokens"], strict=True)),
    }


def _text(text: str) -> str | None:
    """An absent segment is null."""
    return encodable(text) or None
