"""The model to tune: loaded, given a LoRA adapter's places, and saved with what it has learnt."""

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tinyclf.errors import DataError

TARGETS = {"phi3": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}
"""Where peft has no default of its own; these are the names that vLLM's Phi-3 knows."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from: a folder or hub id, perhaps one GGUF file in it, perhaps a revision."""

    model: str
    gguf: str | None = None
    revision: str | None = None

    def load(self) -> tuple[Any, Any]:
        """Model and tokenizer, in bfloat16 on a GPU that has it and float32 elsewhere; ``DataError`` if they fail.

        A GGUF file is unpacked to plain weights, because packed ones cannot be trained.
        """
        if self.gguf and not find_spec("gguf"):
            raise DataError("--gguf needs the package gguf: pip install -e '.[finetune]'")
        device, dtype = best_device()
        folder, common = self._place()
        unpacked = {}
        if self.gguf:
            from transformers import GgufConfig

            unpacked["quantization_config"] = GgufConfig(dequantize=True)
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, **common)
            model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **common, **unpacked)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise DataError(f"--model {self.model}: no causal language model can be loaded: {reason}") from error
        return model.to(device), tokenizer

    def _place(self) -> tuple[str, dict[str, str]]:
        """The folder or hub id, and the options that model and tokenizer share."""
        common = {"revision": self.revision} if self.revision else {}
        if not self.gguf:
            return self.model, common
        path = Path(self.gguf)
        if path.is_file():
            return str(path.parent), {"gguf_file": path.name, **common}
        if Path(self.model).is_dir() and not (Path(self.model) / self.gguf).is_file():
            raise DataError(f"--gguf {self.gguf}: no such file, neither here nor in {self.model}")
        return self.model, {"gguf_file": self.gguf, **common}


def best_device() -> tuple[torch.device, torch.dtype]:
    """The first GPU or else the CPU, and the type of number to train in there."""
    if not torch.cuda.is_available():
        return torch.device("cpu"), torch.float32
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.device("cuda", 0), torch.bfloat16 if bf16 else torch.float32


def device_name(device: torch.device) -> str:
    """The name of a GPU, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def lora_targets(model: Any) -> str | list[str]:
    """The modules that get an adapter: the known ones of a model type, or all linear ones but the output layer."""
    return TARGETS.get(model.config.model_type, "all-linear")


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer with chat template; the folder appears when whole."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
