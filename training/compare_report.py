"""A comparison of two bundles as tables: for the terminal, for Markdown, and the rows that regressed for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tinyclf.labelset import as_tuple
from tinyclf.tables import markdown
from training.paired import Answered

Table = tuple[str, Sequence[str], list[list[object]]]
"""Title, header, rows."""


def tables(found: Mapping[str, Any], regressions: int | None = None) -> list[Table]:
    """What a comparison says, no utterance in it; at most so many ``regressions``, all by default."""
    tests, regressed = found["tests"], found["regressions"]
    figures = [["all heads right", *_right(tests["all heads"])]]
    figures += [[f"{head} right", *_right(test)] for head, test in tests["heads"].items()]
    figures += [[f"mistakes: {guard}", *_mistakes(test)] for guard, test in tests["guards"].items()]
    slices = {name: test for name, test in found["slices"].items() if not name.startswith("topic=")}
    worse = sorted(
        (name for name, test in found["slices"].items() if test["worse"]),
        key=lambda name: (found["slices"][name]["new"] - found["slices"][name]["old"]) / found["slices"][name]["n"],
    )
    header = ("n", "old", "new", "lost", "won", "p")
    made: list[Table] = [
        (f"{found['rows']} gold rows at operating point {found['point']}", ("what", *header), figures),
        ("slices: all heads right", ("slice", *header), [[name, *_right(test)] for name, test in slices.items()]),
    ]
    if worse:
        rows: list[list[object]] = [[name, *_right(found["slices"][name])] for name in worse]
        made.append(("slices in which the new bundle is worse", ("slice", *header), rows))
    if regressed:
        heads = list(tests["heads"])
        shown = [[r["place"], r["id"], *(_change(r, head) for head in heads)] for r in regressed[:regressions]]
        title = f"{len(regressed)} rows that the old bundle had right and the new one has wrong: old → new"
        made.append((title, ("place", "id", *heads), shown))
    return made


def comparison_markdown(found: Mapping[str, Any]) -> str:
    """The comparison as a page."""
    old, new = found["old"], found["new"]
    parts = [
        f"# {new['name']}: {found['verdict']}\n",
        "".join(f"- {reason}\n" for reason in found["reasons"]),
        markdown(
            ["bundle", "path", "manifest"],
            [[side, found[side]["path"], f"`{found[side]['manifest_sha256']}`"] for side in ("old", "new")],
        ),
        f"lost: rows that {old['path']} alone has right; won: rows that {new['path']} alone has right; p: the exact "
        "McNemar test of the two, for each line by itself.\n",
    ]
    for title, header, rows in tables(found):
        parts += [f"## {title}\n", markdown(header, rows)]
    return "\n".join(parts)


def regression_lines(regressed: Sequence[Answered]) -> str:
    """The rows that regressed as JSON Lines, whole and with gold in the heads' columns, so that ``fit`` reads them."""
    return "".join(_line(_record(a)) for a in regressed)


def _record(a: Answered) -> dict[str, Any]:
    row = a.row
    texts = {"previous": row.turn.previous, "utterance": row.turn.utterance, "reply": row.turn.reply}
    kept = {"id": row.id, "lang": row.lang, "family": row.family, **texts}
    return {**{key: value for key, value in kept.items() if value}, **a.gold, "old": a.old, "new": a.new}


def _line(record: Mapping[str, Any]) -> str:
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # lone surrogates have no UTF-8
        line = json.dumps(record)
    return line + "\n"


def _right(test: Mapping[str, Any]) -> list[object]:
    n = max(test["n"], 1)
    return [test["n"], f"{test['old'] / n:.3f}", f"{test['new'] / n:.3f}", *_discordant(test)]


def _mistakes(test: Mapping[str, Any]) -> list[object]:
    return [test["n"], test["n"] - test["old"], test["n"] - test["new"], *_discordant(test)]


def _discordant(test: Mapping[str, Any]) -> list[object]:
    return [test["lost"], test["won"], f"{test['p']:.3g}"]


def _change(regression: Mapping[str, Any], head: str) -> str:
    before, now = (" ".join(as_tuple(regression[side][head])) or "none" for side in ("old", "new"))
    return before if before == now else f"{before} → {now}"
