"""The labeller: turns in, answers out, over any OpenAI-compatible server."""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, Self

from tinyclf.errors import LlmError
from tinyclf.files import sha256
from tinyclf.labelset import LabelSet
from tinyclf.llm.answer import Answer, Raw, one_hot, read_json, read_letter
from tinyclf.llm.backends import Backend, Fields
from tinyclf.llm.prompt import Prompt, messages
from tinyclf.llm.question import LETTERS, orders, questions
from tinyclf.llm.transport import Reply, Transport
from tinyclf.turn import Turn, check_types

Style = Literal["letter", "json"]
"""``letter``: one token a question, whose log-probabilities are the distribution. ``json``: labels written out."""

Said = tuple[Raw, float | None, Sequence[Reply]]


class Labeller:
    """Asks one model on one server about turns. Safe for many tasks of one event loop; close it when done.

    ``order_count``: in how many orders the letters of each question are asked, to average out a liking for a place.
    ``together``: for JSON answers, all heads in one call; otherwise a call for each head, in parallel. ``timeout``:
    seconds for a whole answer. ``shots``: how many of the label set's examples stand in the prompt.
    ``server``, its name and version, and ``token_ids``, which letter a token id spells, are what ``probe`` finds.
    ``body``: further fields of every request, such as ``{"reasoning_effort": "low"}``.

    >>> async with Labeller(default_labels(), BACKENDS["vllm"], "microsoft/Phi-3-mini-4k-instruct") as ask:
    ...     answer = await ask(Turn("con làm được rồi"))
    """

    def __init__(
        self,
        labels: LabelSet,
        backend: Backend,
        model: str,
        *,
        url: str | None = None,
        key: str | None = None,
        style: Style = "letter",
        order_count: int = 2,
        together: bool = True,
        shots: int | None = None,
        timeout: float = 30.0,
        server: str = "",
        token_ids: Mapping[int, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels, self.backend, self.model, self.style, self.timeout = labels, backend, model, style, timeout
        self.transport = Transport(url or backend.url, key or os.environ.get(backend.key_variable, "") or "none")
        self.server = server or backend.name
        self.token_ids: Mapping[int, str] = token_ids or {}
        self.body = dict(body or {})
        prompt, asked = Prompt(labels, shots), questions(labels)
        self.most_options = max(len(question.options) for question in asked)
        if style == "letter":
            _check_letters(backend, self.most_options)
        self.letters = [
            (question, order, prompt.letter(question, order))
            for question in asked
            for order in orders(len(question.options), order_count)
        ]
        groups = [labels.heads] if together else [(head,) for head in labels.heads]
        self.lines = [(heads, prompt.line(heads), backend.one_line(labels, heads)) for heads in groups]

    async def __call__(self, turn: Turn) -> Answer:
        """Label one turn. Raises ``LlmError`` when there is no usable answer in time, ``InputError`` on wrong types."""
        check_types(turn.utterance, turn.previous, turn.reply)
        start = perf_counter()
        try:
            async with asyncio.timeout(self.timeout):
                raw, mass, replies = await (self._by_letter(turn) if self.style == "letter" else self._by_line(turn))
        except TimeoutError:
            raise LlmError("timeout", f"no answer within {self.timeout:g} s") from None
        return Answer(
            raw=raw, mass=mass, milliseconds=(perf_counter() - start) * 1000,
            tokens_in=sum(reply.tokens_in for reply in replies),
            tokens_cached=sum(reply.tokens_cached for reply in replies),
            tokens_out=sum(reply.tokens_out for reply in replies),
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The base URL of the server that is asked."""
        return self.transport.url

    @property
    def systems(self) -> list[str]:
        """The system message of every call that one turn costs."""
        calls = self.letters if self.style == "letter" else self.lines
        return [next(part for part in call if isinstance(part, str)) for call in calls]

    @property
    def prompt_sha256(self) -> str:
        """The digest of all that is asked besides the turn; answers to other prompts are other answers."""
        return prompt_digest(self.style, self.body, self.systems)

    async def ask(self, system: str, turn: Turn, fields: Fields) -> Reply:
        """One call."""
        said = messages(system, turn)
        return await self.transport.chat({"model": self.model, "messages": said, **fields, **self.body})

    async def aclose(self) -> None:
        """Close all connections."""
        await self.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        await self.aclose()

    async def _by_letter(self, turn: Turn) -> Said:
        calls = [
            self.ask(system, turn, self.backend.one_token(len(order), self.token_ids))
            for _, order, system in self.letters
        ]
        replies = await _all(calls)
        raw: dict[str, list[list[float]]] = {}
        least = 1.0
        for (question, order, _), reply in zip(self.letters, replies, strict=True):
            row, mass = read_letter(reply.logprobs, order, self.token_ids)
            raw.setdefault(question.key, []).append(row)
            least = min(least, mass)
        return raw, least, replies

    async def _by_line(self, turn: Turn) -> Said:
        replies = await _all([self.ask(system, turn, fields) for _, system, fields in self.lines])
        labels: dict[str, str | tuple[str, ...]] = {}
        for (heads, _, _), reply in zip(self.lines, replies, strict=True):
            labels |= read_json(reply.content, heads, cut=reply.cut)
        if clash := self.labels.conflicts(labels):
            raise LlmError("conflict", f"the answer joins {clash[0][0]} and {clash[0][1]}, declared incompatible")
        return one_hot(self.labels, labels), None, replies


def prompt_digest(style: Style, body: Mapping[str, Any], systems: Sequence[str]) -> str:
    """The digest of a style, further request fields and system messages."""
    return sha256(json.dumps([style, dict(body), list(systems)]).encode())


async def _all(calls: Sequence[Coroutine[Any, Any, Reply]]) -> list[Reply]:
    """All replies in order; the first failure cancels the other calls, so that no server works for nothing."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return [task.result() for task in tasks]


def _check_letters(backend: Backend, most: int) -> None:
    if not backend.top:
        raise LlmError("no-logprobs", f"{backend.name} gives no log-probabilities: use the style json", fatal=True)
    if most > len(LETTERS):
        raise LlmError("too-many", f"{most} classes but {len(LETTERS)} letters: use the style json", fatal=True)
