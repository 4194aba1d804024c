"""Tinyclf's own routes: one turn, or a batch of turns."""

from http import HTTPStatus

import msgspec
from starlette.types import Receive, Scope

from serve.bodies import BodyReader
from serve.engine import Engine
from serve.refusal import JSON, Refusal
from serve.service import Answer
from tinyclf import Turn


class TurnBody(msgspec.Struct, forbid_unknown_fields=True):
    """One turn: what the child said, and what the robot said before and after, where it is known."""

    utterance: str
    previous: str | None = None
    reply: str | None = None
    full: bool = False
    """Whether to tell the probability of every class."""

    def turn(self) -> Turn:
        """The turn itself."""
        return Turn(self.utterance, self.previous or "", self.reply or "")


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Many turns; the student alone decides them, in order."""

    turns: list[TurnBody]
    full: bool = False
    """Whether to tell the probability of every class."""


class Classify:
    """``POST /v1/classify``: one decision, with the LLM's help where there is one and the student is unsure."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._read = engine, BodyReader(TurnBody, engine.settings.max_body)

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """The labels with confidence, source and time."""
        body = await self._read(receive)
        decision = await self._engine.decide(body.turn())
        return JSON, msgspec.json.encode(decision.to_dict(body.full))


class ClassifyBatch:
    """``POST /v1/classify/batch``: decisions of the student alone, in the order of the turns."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._read = engine, BodyReader(BatchBody, engine.settings.max_body)

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """``{"decisions": [...]}``."""
        body = await self._read(receive)
        if len(body.turns) > self._engine.settings.max_turns:
            most = f"a batch holds at most {self._engine.settings.max_turns} turns"
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, most, field="turns")
        decisions = await self._engine.decide_all([turn.turn() for turn in body.turns])
        full = [body.full or turn.full for turn in body.turns]
        found = [decision.to_dict(more) for decision, more in zip(decisions, full, strict=True)]
        return JSON, msgspec.json.encode({"decisions": found})
