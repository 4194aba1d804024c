"""What a labelling job would ask and cost, without asking anything."""

from pathlib import Path

from rich.console import Console

from distill.progress import Prices
from distill.source import Source
from distill.teacher import Teacher
from tinyclf.llm.prompt import written
from tinyclf.terminal import say

CHARS_PER_TOKEN = 3.0
"""English runs to about four characters a token, Vietnamese in most tokenizers to about two."""


def show_plan(source: Source, teacher: Teacher, prices: Prices, out: Path) -> None:
    """Print the first prompt, then rows, calls, and tokens and cost as estimates."""
    labeller = teacher.labeller()
    systems = labeller.systems
    Console().print(systems[0], markup=False, highlight=False, soft_wrap=True)
    turns = {item.key: len(written(item.turn)) for item in source}
    said = sum(turns.values()) * len(systems)
    fixed = sum(map(len, systems)) * len(turns)
    tokens_in, tokens_cached = (said + fixed) / CHARS_PER_TOKEN, fixed / CHARS_PER_TOKEN
    tokens_out = len(turns) * len(systems) * (1 if teacher.style == "letter" else 20)
    say("")
    say(f"prompt sha256 {labeller.prompt_sha256[:16]}, {len(systems)} calls a turn")
    say(f"{source.rows:,} rows, {len(turns):,} different turns, {len(turns) * len(systems):,} calls")
    say(
        f"estimate, from characters: {tokens_in:,.0f} tokens in, {tokens_cached:,.0f} of them in the prompt that "
        f"servers cache; {tokens_out:,} out"
    )
    if (out / "journal").exists():
        say(f"{out} holds answers; those to the same prompt and model are not asked again, and not taken off here")
    worst, best = prices(tokens_in, 0, tokens_out), prices(tokens_in, tokens_cached, tokens_out)
    if worst:
        say(f"estimated cost: $ {worst:.2f}, with the prompt cached $ {best:.2f}")
    else:
        say("no cost estimate: give --price-in and --price-out")
