"""The documents say what is so: the example label set loads, links lead somewhere, the README's commands exist."""

import re
import shlex
from pathlib import Path

import pytest

from tinyclf import LabelSetError, read_labels

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_the_example_label_set_loads_and_is_checked(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "label-set.md").read_text(encoding="utf-8")
    toml = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]
    path = tmp_path / "kitchen.toml"
    path.write_text(toml, encoding="utf-8")
    labels = read_labels(path)
    assert [head.name for head in labels.heads] == ["dish", "guest"]
    path.write_text(toml.replace('guest = "child" }', 'guest = "cook" }'), encoding="utf-8")
    with pytest.raises(LabelSetError, match=r"kitchen.toml:\d+: head 'guest' has no class 'cook'"):
        read_labels(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for command in re.findall(r"`?make ([a-z]+)`", page.read_text(encoding="utf-8")):
            assert command in targets, f"{page.name}: make {command}"


def test_the_documents_name_options_that_exist() -> None:
    from typer.main import get_command

    from distill.__main__ import app as distill_app
    from export.__main__ import app as export_app
    from tinyclf.cli import app as tinyclf_app
    from training.__main__ import app as training_app

    apps = {"tinyclf": tinyclf_app, "training": training_app, "export": export_app, "distill": distill_app}
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^(?:python -m (?:training|export|distill)|tinyclf) .*", text, re.M):
            words = shlex.split(line.replace("python -m ", ""), comments=True)
            if words[-1] == "/" or words[0] not in apps or len(words) < 2:
                continue
            command = get_command(apps[words[0]])
            while words and hasattr(command, "commands"):
                words.pop(0)
                command = command.commands[words[0]]
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            assert {word for word in words if word.startswith("--")} <= known, f"{page.name}: {line}"
