"""What fine-tuning a teacher of Phi-3-mini's size costs on one GPU: ``python -m benchmarks.finetune_gpu``.

The model has Phi-3-mini's shape and random weights, so it measures time and memory, not what a real teacher learns.
"""

import argparse
import datetime
import os
import platform
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import AutoTokenizer, Phi3Config, Phi3ForCausalLM

from benchmarks.results import write_results
from distill.finetune.folder import Folder
from distill.finetune.gold import split
from distill.finetune.job import Job
from distill.finetune.model import Origin, best_device
from distill.finetune.train import Recipe
from distill.source import Source
from tinyclf import default_labels
from tinyclf.tables import markdown

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "training" / "data" / "corpus"


def main() -> None:
    """Make the model, tune it, and write results/finetune-gpu.{json,md}."""
    asked = _arguments()
    host = {
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        folder = Path(name)
        start = perf_counter()
        _make(folder / "model", asked.tokenizer, asked.layers, asked.hidden)
        print(f"model made and saved in {perf_counter() - start:.0f} s", flush=True)
        source = Source(str(CORPUS), default_labels(), sample=asked.rows)
        recipe = Recipe(
            batch=asked.batch, accumulation=asked.accumulation, gradient_checkpointing=not asked.no_checkpointing
        )
        job = Job(
            Origin(str(folder / "model")), source.labels, split(source, 0.1, 0), Folder(folder / "run"), recipe,
            epochs=1, shots=asked.shots,
        )  # fmt: skip
        report = job()
        whole = perf_counter() - start
        if report is None:
            raise SystemExit("stopped before its end")
        if asked.keep:
            shutil.copy(folder / "run" / "loss.png", asked.keep)
    report["model"]["model"] = "Phi-3-mini's shape, random weights"
    found = {"machine": host, "seconds in all": round(whole, 1), **report}
    write_results("finetune-gpu", found, _text(host, report, whole))


def _make(folder: Path, tokenizer: Path, layers: int, hidden: int) -> None:
    """A folder with a model of random weights and a real tokenizer, as a hub would give it."""
    torch.manual_seed(0)
    words: Any = AutoTokenizer.from_pretrained(tokenizer)
    config = Phi3Config(
        vocab_size=len(words), pad_token_id=words.pad_token_id, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, num_hidden_layers=layers, hidden_size=hidden,
    )  # fmt: skip
    device, dtype = best_device()
    with device:  # drawn where that is fast
        model: Any = Phi3ForCausalLM(config)
    model = model.to(dtype)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    del model
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _text(host: dict[str, Any], report: dict[str, Any], whole: float) -> str:
    recipe, seconds = report["recipe"], report["seconds"]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    rows = [
        ["parameters, of them trained", f"{report['parameters']:,}, {report['trained_parameters']:,}"],
        ["examples, tokens each at most", f"{report['examples']:,}, {report['longest_tokens']:,}"],
        ["batch × accumulation, steps", f"{recipe['batch']} × {recipe['accumulation']}, {report['steps']:,}"],
        ["gradient checkpointing", "on" if recipe["gradient_checkpointing"] else "off"],
        ["training, seconds", f"{seconds:.1f}"],
        ["seconds a step", f"{seconds / report['steps']:.2f}"],
        ["tokens a second", f"{report['tokens'] / seconds:,.0f}"],
        ["peak GPU memory, GB", f"{report['peak_gpu_bytes'] / 1e9:.1f}"],
        ["all with making, scoring, merging and saving, seconds", f"{whole:.0f}"],
        ["loss, first and last step", f"{report['loss'][0]['loss']:.3f}, {report['loss'][-1]['loss']:.3f}"],
    ]
    for head, before in report["before"].items():
        after = report["after"][head]
        for name in ("accuracy", "nll", "mass"):
            what = f"held-out {head}, {name}, before and after ({before['rows']} rows)"
            rows.append([what, f"{before[name]:.3f}, {after[name]:.3f}"])
    return (
        f"# Fine-tuning a model of Phi-3-mini's shape (random weights)\n\n{report['device']}, {report['dtype']}; "
        f"{host['cores']} cores, {host['system']}, load average before {host['load_before']}; {versions}; "
        f"{host['day']}.\n\n{markdown(['', 'value'], rows)}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="a folder with a tokenizer and chat template")
    parser.add_argument("--rows", type=int, default=600, help="rows of the corpus, a tenth of them held out")
    parser.add_argument("--shots", type=int, default=0, help="examples in the prompt")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--accumulation", type=int, default=2)
    parser.add_argument("--no-checkpointing", action="store_true", help="keep all activations")
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=3072)
    parser.add_argument("--scratch", type=Path, help="where the model and the run lie meanwhile (about 16 GB)")
    parser.add_argument("--keep", type=Path, help="copy the loss curve to this place")
    return parser.parse_args()


if __name__ == "__main__":
    main()
