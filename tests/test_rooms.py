"""The rooms import one another in one direction only, and the runtime stays light."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("tinyclf", "training", "distill", "export", "serve", "examples", "benchmarks")
MAY_IMPORT = {
    "tinyclf": set(),
    "training": {"tinyclf"},
    "distill": {"tinyclf"},
    "export": {"tinyclf", "training"},
    "serve": {"tinyclf"},
    "examples": {"tinyclf"},
    "benchmarks": set(ROOMS),
}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        assert imported(file) & set(ROOMS) - {room} <= MAY_IMPORT[room], file


def test_the_runtime_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tinyclf import Classifier; Classifier.load()('con vui'); "
        "heavy = ('torch', 'sklearn', 'scipy', 'pandas', 'onnx', 'typer', 'rich', 'datasets', 'openai', 'pyarrow'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_no_code_outside_the_label_set_knows_a_class() -> None:
    from tinyclf import default_labels

    names = {name for head in default_labels().heads for name in (head.name, *head.names)} - {"yes", "no"}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert node.value not in names, f"{file}:{node.lineno}"


def test_the_wheel_holds_the_runtime_and_its_bundle_alone(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
    ]
    subprocess.run([*command, str(ROOT)], check=True, timeout=120)
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"tinyclf"}
    assert {
        f"tinyclf/default/{name}" for name in ("model.onnx", "tokenizer.model", "manifest.json", "MODEL_CARD.md")
    } <= set(names)
    assert wheel.stat().st_size <= 8_000_000
