"""The bundle: a folder that holds a student ready to run, and the proof that it is whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinyclf.errors import BundleError, LabelSetError
from tinyclf.files import sha256, write_json, write_whole
from tinyclf.labelfile import parse_labels
from tinyclf.labelset import LabelSet
from tinyclf.operating import OperatingPoint

FORMAT = 1
MANIFEST, MODEL, TOKENIZER, CARD = "manifest.json", "model.onnx", "tokenizer.model", "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory: the bytes that were checked are the bytes that run."""

    path: Path
    manifest: Mapping[str, Any]
    labels: LabelSet
    model: bytes
    tokenizer: bytes

    def point(self, name: str) -> OperatingPoint:
        """The operating point of that name; ``BundleError`` lists those there are."""
        points = self.manifest["operating_points"]
        if name not in points:
            raise BundleError(f"{self.path}: no operating point {name!r}; there are {', '.join(points)}")
        foreign = f"{self.path / MANIFEST}: foreign: operating point {name!r}"
        try:
            point = OperatingPoint(name, **points[name])
        except TypeError as error:
            raise BundleError(f"{foreign} has unknown entries") from error
        if unknown := point.limits.keys() - {guard.name for guard in self.labels.guards}:
            raise BundleError(f"{foreign} limits {min(unknown)!r}, which is no guard of its label set")
        return point


def default_bundle() -> Path:
    """The folder of the bundle that ships with tinyclf."""
    return Path(str(files("tinyclf") / "default"))


def read_bundle(path: Path | str | None = None) -> Bundle:
    """Read and verify a bundle (the default one without ``path``); ``BundleError`` says what is wrong and where."""
    path = Path(path) if path is not None else default_bundle()
    if not path.is_dir():
        raise BundleError(f"{path}: no such bundle folder; make one with `python -m export bundle`")
    manifest = _manifest(path)
    contents = {}
    for name, entry in manifest["files"].items():
        data = _read(path / name)
        if sha256(data) != entry["sha256"]:
            raise BundleError(f"{path / name}: damaged: its SHA-256 is not the manifest's; copy the bundle again")
        contents[name] = data
    try:
        labels = parse_labels(manifest["label_set"], lambda key: f"{path / MANIFEST}: {'/'.join(map(str, key))}")
    except LabelSetError as error:
        raise BundleError(str(error)) from error
    return Bundle(path, manifest, labels, contents[MODEL], contents[TOKENIZER])


def write_bundle(path: Path, manifest: dict[str, Any], contents: Mapping[str, bytes]) -> None:
    """Write a bundle folder; the manifest, with the digest of every file, comes last and makes it valid."""
    manifest = {"format": FORMAT, **manifest}
    manifest["files"] = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in contents.items()}
    for name, data in contents.items():
        write_whole(path / name, data)
    write_json(path / MANIFEST, {**manifest, "sha256": _digest(manifest)})


def _manifest(path: Path) -> Mapping[str, Any]:
    place = path / MANIFEST
    try:
        manifest = json.loads(_read(place))
    except ValueError as error:
        raise BundleError(f"{place}: damaged: not JSON ({error})") from error
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise BundleError(f"{place}: foreign: not the manifest of a tinyclf bundle")
    if manifest["format"] != FORMAT:
        raise BundleError(
            f"{place}: bundle format {manifest['format']!r}, this tinyclf reads format {FORMAT}; "
            "export the bundle again or install the tinyclf that wrote it"
        )
    if _digest(manifest) != manifest.get("sha256"):
        raise BundleError(f"{place}: damaged: its content does not match its own digest; copy the bundle again")
    for key in ("files", "label_set", "operating_points"):
        if not isinstance(manifest.get(key), dict):
            raise BundleError(f"{place}: foreign: it has no {key}")
    for name in (MODEL, TOKENIZER):
        if name not in manifest["files"]:
            raise BundleError(f"{place}: lists no {name}")
    return manifest


def _digest(manifest: Mapping[str, Any]) -> str:
    """The digest of the manifest without its own ``sha256`` entry, in sorted compact JSON."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing; the bundle is not whole, copy it again") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
