"""Checkpoints of a fit: weights, optimiser and progress in one safetensors file, written whole."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tinyclf.errors import DataError
from tinyclf.files import write_whole
from training.student import Student


@dataclass(slots=True)
class Progress:
    """How far a fit has come: epochs done, the best dev score with its epoch, and the history for the report."""

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_weights(path: Path, student: Student) -> None:
    """Write the student's weights."""
    write_whole(path, save({name: tensor.contiguous() for name, tensor in student.state_dict().items()}))


def load_weights(path: Path, student: Student) -> None:
    """Fill the student with saved weights; ``DataError`` when the file is missing, cut off or of another shape."""
    try:
        with safe_open(path, "pt") as file:
            student.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path}: not the weights of this student: {error}; run `fit` again") from error


def save_checkpoint(path: Path, student: Student, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """Write everything that a later run needs to go on as if it had never stopped."""
    tensors: dict[str, Tensor] = {f"student.{name}": tensor for name, tensor in student.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(content, {"progress": json.dumps(asdict(progress))}))


def load_checkpoint(path: Path, student: Student, optimiser: torch.optim.Optimizer) -> Progress:
    """Restore student and optimiser in place and return the progress; ``DataError`` when the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            progress = Progress(**json.loads(file.metadata()["progress"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: damaged checkpoint ({error}); delete it to train from the start") from error
    student.load_state_dict({name.removeprefix("student."): t for name, t in tensors.items() if name[0] == "s"})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return progress
