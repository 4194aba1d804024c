"""Request bodies: read up to a limit, decoded and checked against a type, with refusals that name the field."""

import asyncio
import re
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec
from starlette.types import Message, Receive

from serve.refusal import Refusal

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds that a body may take to come in."""
PLACE = re.compile(r" - at `\$\.?(.*)`$")
MISSING = re.compile(r"missing required field `(\w+)`")


class GoneError(Exception):
    """The client left before its request was whole: there is nobody to answer."""


class BodyReader(Generic[T]):
    """Reads the JSON body of a request as a ``msgspec`` type, of at most ``limit`` bytes."""

    def __init__(self, kind: type[T], limit: int) -> None:
        self.kind, self.limit = kind, limit
        self._decode = msgspec.json.Decoder(kind).decode

    async def __call__(self, receive: Receive) -> T:
        """The decoded body; ``Refusal`` with 400, 408, 413 or 422 when there is none."""
        message = _at_hand(receive)
        if not message or message.get("more_body"):
            message = await self._rest(receive, message)
        if message["type"] == "http.disconnect":
            raise GoneError
        body: bytes = message.get("body", b"")
        if len(body) > self.limit:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {self.limit} bytes")
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise _wrong(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not valid JSON in UTF-8") from None

    async def _rest(self, receive: Receive, message: Message | None) -> Message:
        """The last message, with all of the body, or as much of it as shows that it is too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                message = message or await receive()
                body: bytes = message.get("body", b"")
                while message.get("more_body") and len(body) <= self.limit:
                    message = await receive()
                    body += message.get("body", b"")
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, f"the body was not whole within {PATIENCE:g} s") from None
        return {**message, "body": body}


def _at_hand(receive: Receive) -> Message | None:
    """The next message if it is there already, as that of a small request nearly always is: a timer costs more."""
    waiting = receive().__await__()
    try:
        next(waiting)
    except StopIteration as here:
        return here.value  # type: ignore[no-any-return]
    waiting.close()
    return None


def _wrong(message: str) -> Refusal:
    """What the decoder said, with the field apart. A field that is unknown is not named."""
    if "unknown field" in message:
        place = PLACE.search(message)
        return Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, "the body has an unknown field", field=place[1] if place else ""
        )
    missing, place = MISSING.search(message), PLACE.search(message)
    field = ".".join(part for part in (place[1] if place else "", missing[1] if missing else "") if part)
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, PLACE.sub("", message), field=field)
