"""Live progress of a labelling job: rows, rate, time left, tokens and money."""

from collections import Counter
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from distill.journal import Entry


class Prices:
    """What a million tokens cost; cached ones count as input where no price of their own is given."""

    def __init__(self, tokens_in: float = 0.0, tokens_out: float = 0.0, tokens_cached: float | None = None) -> None:
        self.tokens_in, self.tokens_out = tokens_in, tokens_out
        self.tokens_cached = tokens_in if tokens_cached is None else tokens_cached

    def __call__(self, tokens_in: float, tokens_cached: float, tokens_out: float) -> float:
        """The cost of so many tokens; cached ones are part of those that went in."""
        fresh = tokens_in - tokens_cached
        return (fresh * self.tokens_in + tokens_cached * self.tokens_cached + tokens_out * self.tokens_out) / 1e6


class Live:
    """Counts entries as they come and shows where the job stands."""

    def __init__(self, total: int, prices: Prices, console: Console) -> None:
        self.tokens = [0, 0, 0]
        self.failed: Counter[str] = Counter()
        self._prices = prices
        self._bar = Progress(
            TextColumn("labelling"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[cost]}"),
            console=console,
        )  # fmt: skip
        self._task = self._bar.add_task("rows", total=total, rate="", cost="")

    def __call__(self, entry: Entry) -> None:
        """One more row is done."""
        if "error" in entry:
            self.failed[entry["error"]] += 1
        for i, count in enumerate(entry.get("tokens", ())):
            self.tokens[i] += count
        task = self._bar.tasks[0]
        rate = f"{task.speed:.1f} rows/s" if task.speed else ""
        self._bar.update(self._task, advance=1, rate=rate, cost=self.cost)

    @property
    def cost(self) -> str:
        """Tokens so far, what they cost where prices are known, and failures where there are any."""
        money = self._prices(*self.tokens)
        parts = [f"{self.tokens[0]:,} tokens in ({self.tokens[1]:,} cached), {self.tokens[2]:,} out"]
        parts += [f"$ {money:.2f}"] if money else []
        parts += [f"{self.failed.total()} failed"] if self.failed else []
        return ", ".join(parts)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._bar.stop()
