"""One fine-tuning run from gold rows to a folder that can be served."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from distill.finetune.chat import Chat
from distill.finetune.examples import Ask, Example, asks, examples
from distill.finetune.facts import Encoded, facts, in_words, peak_gpu_bytes
from distill.finetune.folder import Folder, read_json
from distill.finetune.gold import Split
from distill.finetune.model import Origin, save
from distill.finetune.report import plot_loss
from distill.finetune.score import score
from distill.finetune.train import Recipe, run, trainer_for
from tinyclf import LabelSet
from tinyclf.errors import DataError
from tinyclf.files import sha256, write_json
from tinyclf.llm.labeller import prompt_digest

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What is tuned, on what, and how; ``say`` prints a line.

    ``orders``: in how many orders held-out rows are asked. ``max_length``: longer examples, in tokens, are left out.
    """

    origin: Origin
    labels: LabelSet
    split: Split
    folder: Folder
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int = 2
    shots: int | None = None
    orders: int = 2
    max_length: int = 4096
    say: Callable[[str], None] = print

    def __call__(self) -> Report | None:
        """The figures of the run, which stand in the folder too; ``None`` when it was stopped on the way."""
        taught = list(examples(self.labels, self.split.train, self.shots, self.epochs, self.recipe.seed))
        identity = self._identity(taught)
        self.folder.check(identity)
        if self.folder.report.exists():
            return read_json(self.folder.report)
        model, tokenizer = self.origin.load()
        asked = asks(self.labels, self.shots, self.orders)
        chat = Chat(tokenizer, max(len(ask.order) for ask in asked))
        encoded = self._encoded(model, chat, taught)
        self.folder.claim(identity)
        before = self._before(model, chat, asked)
        trainer = trainer_for(model, tokenizer, encoded, self.recipe, self.folder.checkpoints)
        known = {**self._settings(chat, asked), **facts(trainer.model, encoded, self.recipe)}
        self.say(in_words(known))
        start = perf_counter()
        if not run(trainer):
            return None
        seconds = perf_counter() - start
        merged = trainer.model.merge_and_unload()
        after = self._score(merged, chat, asked)
        save(merged, tokenizer, self.folder.merged)
        logged = [entry for entry in trainer.state.log_history if "loss" in entry]
        loss = [{key: entry[key] for key in ("step", "loss", "learning_rate")} for entry in logged]
        plot_loss(loss, self.folder.path / "loss.png")
        cost = {"seconds": round(seconds, 1), "peak_gpu_bytes": peak_gpu_bytes()}
        report = {**known, **cost, "before": before, "after": after, "loss": loss}
        write_json(self.folder.report, report)
        return report

    def _identity(self, taught: Sequence[Example]) -> dict[str, Any]:
        """What makes the run this one; the examples stand for the data, the label set and how it is asked."""
        return {
            "model": asdict(self.origin),
            "data": sha256(json.dumps([[e.system, e.user, e.letter] for e in taught]).encode()),
            "held-out": sha256(json.dumps([[item.key, item.gold] for item in self.split.held_out]).encode()),
            "recipe": asdict(self.recipe),
            "orders": self.orders,
            "max length": self.max_length,
        }

    def _encoded(self, model: Any, chat: Chat, taught: Sequence[Example]) -> list[Encoded]:
        limit = min(self.max_length, getattr(model.config, "max_position_embeddings", self.max_length))
        encoded = [chat.taught(example) for example in taught]
        found = [pair for pair in encoded if len(pair[0]) <= limit]
        if left_out := len(encoded) - len(found):
            self.say(f"{left_out:,} of {len(encoded):,} examples are longer than {limit} tokens: left out")
        if not found:
            shortest = min(len(ids) for ids, _ in encoded)
            raise DataError(
                f"every example has more than {limit} tokens, the shortest {shortest}: give fewer --shots, or a larger "
                "--max-length where the model takes it"
            )
        return found

    def _before(self, model: Any, chat: Chat, asked: Sequence[Ask]) -> Report:
        if not self.folder.before.exists():
            write_json(self.folder.before, self._score(model, chat, asked))
        return read_json(self.folder.before)

    def _score(self, model: Any, chat: Chat, asked: Sequence[Ask]) -> Report:
        found = score(model, chat, self.labels, self.split.held_out, asked, self.recipe.batch)
        return {head: asdict(figures) for head, figures in found.items()}

    def _settings(self, chat: Chat, asked: Sequence[Ask]) -> Report:
        systems = [ask.system for ask in asked]
        return {
            "model": asdict(self.origin),
            "recipe": asdict(self.recipe),
            "epochs": self.epochs,
            "shots": self.shots,
            "orders": self.orders,
            "rows": {"train": len(self.split.train), "held_out": len(self.split.held_out)},
            "folded_system_role": chat.folded,
            "prompt_sha256": prompt_digest("letter", {}, systems),
        }
