"""Checkpoints of a fit: weights, optimiser and progress in one safetensors file, written whole."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from tinyclf.errors import DataError
from tinyclf.files import write_whole


@dataclass(slots=True)
class Progress:
    """How far a fit has come: epochs done, the best dev score with its epoch, and the history for the report."""

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or so many (not 0) in a row without a better dev score."""
        return self.epoch >= epochs or (bool(patience) and self.epoch - self.best_epoch >= patience)


def save_weights(path: Path, student: nn.Module) -> None:
    """Write the student's weights."""
    write_whole(path, save({name: tensor.contiguous() for name, tensor in student.state_dict().items()}))


def load_weights(path: Path, student: nn.Module) -> None:
    """Fill the student with saved weights; ``DataError`` when the file is missing, cut off or of another shape."""
    try:
        with safe_open(path, "pt") as file:
            student.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path}: not the weights of this student: {error}; run `fit` again") from error


def save_checkpoint(path: Path, student: nn.Module, optimisers: Sequence[Optimizer], progress: Progress) -> None:
    """Write everything that a later run needs to go on as if it had never stopped."""
    tensors: dict[str, Tensor] = {f"student/{name}": tensor for name, tensor in student.state_dict().items()}
    for number, optimiser in enumerate(optimisers):
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{number}/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(content, {"progress": json.dumps(asdict(progress))}))


def load_checkpoint(path: Path, student: nn.Module, optimisers: Sequence[Optimizer]) -> Progress:
    """Restore student and optimisers in place and return the progress; ``DataError`` when the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            progress = Progress(**json.loads(file.metadata()["progress"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: damaged checkpoint ({error}); delete it to train from the start") from error
    weights = {name.removeprefix("student/"): t for name, t in tensors.items() if name.startswith("student/")}
    student.load_state_dict(weights)
    for number, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor | int]] = {}
        for name, tensor in tensors.items():
            owner, _, rest = name.partition("/")
            if owner == str(number):
                index, _, key = rest.partition("/")
                sparse_step = key == "step" and isinstance(optimiser, torch.optim.SparseAdam)
                state.setdefault(int(index), {})[key] = int(tensor) if sparse_step else tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return progress
