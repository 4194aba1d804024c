"""The drop-in: ``POST /v1/chat/completions`` as the OpenAI protocol has it, answered with a decision as text."""

import os
import time
from http import HTTPStatus
from itertools import count
from typing import Annotated, Any

import msgspec
from starlette.types import Receive, Scope

from serve.bodies import BodyReader
from serve.engine import Engine
from serve.refusal import JSON, Refusal
from serve.service import Answer
from serve.spoken import turn_in
from tinyclf import Turn

EVENTS = b"text/event-stream; charset=utf-8"
NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
"""No LLM's tokens were spent on a decision of the student."""
BY_A_USER = {"type": "object", "properties": {"role": {"const": "user"}}, "required": ["role"]}


class Part(msgspec.Struct):
    """A part of a message; only text counts."""

    type: str = "text"
    text: str | None = None


class Message(msgspec.Struct):
    """A message of the conversation."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(msgspec.Struct):
    """How to stream."""

    include_usage: bool | None = None


class ChatBody(msgspec.Struct):
    """What of a chat request is used; everything else, such as temperature, is accepted and means nothing here."""

    messages: Annotated[list[Message], msgspec.Meta(extra_json_schema={"contains": BY_A_USER})]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    def turn(self) -> Turn:
        """The turn of the last user message; ``Refusal`` when there is none."""
        place = next((i for i in reversed(range(len(self.messages))) if self.messages[i].role == "user"), None)
        if place is None:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "no message has the role `user`", field="messages")
        said = (message.text for message in reversed(self.messages[:place]) if message.role == "assistant")
        before = next(said, "")
        # Examples in a prompt show the LLM's own answers: JSON, which no robot says to a child.
        return turn_in(self.messages[place].text, "" if before.lstrip().startswith("{") else before)


class Chat:
    """Answers a chat request with the wire form as the assistant's message, whole or as server-sent events."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._read = engine, BodyReader(ChatBody, engine.settings.max_body)
        self._process, self._number = f"{os.getpid():x}-{engine.started:x}", count()

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """A ``chat.completion``, or its chunks."""
        body = await self._read(receive)
        fingerprint, now = f"tinyclf-{self._engine.digest}", int(time.time())
        content = (await self._engine.decide(body.turn())).to_json()
        head = {
            "id": f"chatcmpl-{self._process}-{next(self._number):x}",
            "object": "chat.completion.chunk" if body.stream else "chat.completion",
            "created": now,
            "model": body.model or self._engine.classifier.labels.name,
            "system_fingerprint": fingerprint,
        }
        if body.stream:
            return EVENTS, _events(head, content, bool(body.stream_options and body.stream_options.include_usage))
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
        return JSON, msgspec.json.encode({**head, "choices": [choice], "usage": NO_TOKENS})


def _events(head: dict[str, Any], content: str, usage: bool) -> bytes:
    """The chunks as server-sent events (WHATWG HTML, 9.2): role, content, end, usage where asked for."""
    chunks: list[dict[str, Any]] = []
    for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": content}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunks.append({**head, "choices": [choice]} | ({"usage": None} if usage else {}))
    if usage:
        chunks.append({**head, "choices": [], "usage": NO_TOKENS})
    return b"".join(b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks) + b"data: [DONE]\n\n"
