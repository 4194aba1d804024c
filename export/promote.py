"""Promote a candidate: the bundle that replaces another one, with its descent and the comparison that allowed it."""

import json
from pathlib import Path
from typing import Any

from export.card import model_card
from export.place import in_place_of
from tinyclf.bundle import CARD, Bundle, read_bundle, write_bundle
from tinyclf.errors import TinyclfError
from training.paired import WORSE

WRITTEN_ANEW = ("format", "files", "sha256")


def promote(candidate: Path, replaces: Path, comparison: Path, out: Path, *, force: bool = False) -> Bundle:
    """Write the candidate to ``out`` with ``lineage`` in its manifest: the bundles before it, newest last.

    Model and tokenizer are the candidate's, byte for byte. ``comparison`` is the compare.json of ``python -m training
    compare REPLACES CANDIDATE``. Raises ``TinyclfError`` when it is of other bundles or, without ``force``, when it
    says that the candidate is worse.
    """
    new, old = read_bundle(candidate), read_bundle(replaces)
    summary = _summary(comparison, old, new, force)
    entry = {
        "name": old.manifest.get("name"),
        "manifest_sha256": old.manifest["sha256"],
        "rows_sha256": old.manifest.get("provenance", {}).get("rows_sha256"),
        "comparison": summary,
    }
    manifest = {key: value for key, value in new.manifest.items() if key not in WRITTEN_ANEW}
    manifest["lineage"] = [*old.manifest.get("lineage", []), entry]
    contents = {name: (candidate / name).read_bytes() for name in new.manifest["files"]}
    contents[CARD] = model_card(new.labels, manifest).encode()
    with in_place_of(out) as fresh:
        write_bundle(fresh, manifest, contents)
        read_bundle(fresh)
    return read_bundle(out)


def _summary(path: Path, old: Bundle, new: Bundle, force: bool) -> dict[str, Any]:
    """What the lineage keeps of a comparison, once it is found to be of these bundles and not against the candidate."""
    try:
        found = json.loads(path.read_bytes())
        compared = [found[side]["manifest_sha256"] for side in ("old", "new")]
        tests = found["tests"]
        summary = {
            "candidate_sha256": compared[1],
            **{key: found[key] for key in ("verdict", "reasons", "point", "rows", "rows_sha256")},
            "all_heads_right": {key: tests["all heads"][key] for key in ("old", "new", "p")},
            "guarded_mistakes": {
                name: {side: test["n"] - test[side] for side in ("old", "new")}
                for name, test in tests["guards"].items()
            },
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TinyclfError(
            f"{path}: not a comparison ({type(error).__name__}); make one with "
            f"`python -m training compare {old.path} {new.path} --out DIR`"
        ) from error
    if compared != [old.manifest["sha256"], new.manifest["sha256"]]:
        raise TinyclfError(
            f"{path}: compares other bundles; compare these two: "
            f"`python -m training compare {old.path} {new.path} --out DIR`"
        )
    if summary["verdict"] == WORSE and not force:
        raise TinyclfError(f"{path}: the candidate is worse: {'; '.join(found['reasons'])}. --force promotes it anyway")
    return summary
