"""Request bodies: read up to a limit, decoded and checked against a type, with refusals that name the field."""

import asyncio
import re
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec
from starlette.types import Receive, Scope

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

    async def __call__(self, scope: Scope, receive: Receive) -> T:
        """The decoded body; ``Refusal`` with 400, 408, 413 or 422 when there is none."""
        try:
            return self._decode(await self._read(scope, receive))
        except msgspec.ValidationError as error:
            raise _wrong(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not valid JSON in UTF-8") from None

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self.limit:
                raise self._too_long()
        try:
            async with asyncio.timeout(PATIENCE):
                message = await receive()
                body: bytes = message.get("body", b"")
                while message.get("more_body"):
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self.limit:
                        raise self._too_long()
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, f"the body was not whole within {PATIENCE:g} s") from None
        if message["type"] == "http.disconnect":
            raise GoneError
        if len(body) > self.limit:
            raise self._too_long()
        return body

    def _too_long(self) -> Refusal:
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {self.limit} bytes")


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
