"""The service: a FastAPI app whose hot routes are plain ASGI, behind one gate for keys, overload and failures."""

import logging
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serve.bodies import GoneError
from serve.keys import Keys
from serve.metrics import Metrics
from serve.refusal import CLOSE, Headers, Refusal, body_of

log = logging.getLogger("tinyclf.serve")
OPEN_ROUTES = {"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/v1/labels"}
"""What load balancers and browsers ask without a key; it tells nothing about anybody."""
OPEN_FOLDER = "/playground/"
NAMED_ROUTES = OPEN_ROUTES | {"/metrics", "/v1/models"}
"""What metrics tell apart beside the hot routes; all else is `other`."""
FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says where")

Answer = tuple[bytes, bytes]
"""Content type and body."""
Hot = Callable[[Scope, Receive], Awaitable[Answer]]


class Service(FastAPI):
    """FastAPI, entered through a gate. A hot route is a function behind the gate and meets no framework.

    ``hot``: method and path to that function. FastAPI's own routing, validation and serialising would cost several
    times what a decision does.
    """

    def __init__(self, keys: Keys, metrics: Metrics, max_in_flight: int, **options: Any) -> None:
        super().__init__(**options)
        self.keys, self.metrics, self.max_in_flight = keys, metrics, max_in_flight
        self.hot: dict[tuple[str, str], Hot] = {}
        self.in_flight, self.draining = 0, False
        for kind in (HTTPException, Exception):
            self.add_exception_handler(kind, _in_our_words)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path, hot = scope["path"], self.hot.get((scope["method"], scope["path"]))
        start, status = perf_counter(), 0
        self.in_flight += 1
        try:
            self._check(path, scope)
            if hot:
                kind, body = await hot(scope, receive)
                await self._send(send, status := 200, kind, body)
            else:
                status = await self._by_framework(scope, receive, send)
        except Refusal as refusal:
            await self._refuse(send, refusal, path)
            status = refusal.status
        except GoneError:
            status = 499
        except Exception as error:
            place = "".join(traceback.format_tb(error.__traceback__))  # the message is left out: it may quote the turn
            log.error("%s at\n%s", type(error).__name__, place)
            status = 500
            if hot:  # the framework has answered for its own routes
                await self._refuse(send, FAILED, path)
        finally:
            self.in_flight -= 1
            route = path if hot or path in NAMED_ROUTES else "other"
            self.metrics.answered(route, status, perf_counter() - start)

    async def _by_framework(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer as FastAPI does; the status that it sent."""
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *self._leaving]}
            await send(message)

        if scope["method"] == "HEAD":  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        await super().__call__(scope, receive, sent)
        return status

    def _check(self, path: str, scope: Scope) -> None:
        if path in OPEN_ROUTES or path.startswith(OPEN_FOLDER):
            return
        if self.keys and not self.keys.allow(scope["headers"]):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "send a valid key as `Authorization: Bearer KEY`")
        if not self.keys and _from_another_site(scope["headers"]):
            raise Refusal(HTTPStatus.FORBIDDEN, "pages of other sites may not ask here without a key")
        if self.in_flight > self.max_in_flight and path != "/metrics":
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests are being answered; try again", wait=1)

    @property
    def _leaving(self) -> Headers:
        """While it drains, clients are to move to another process before this one closes."""
        return CLOSE if self.draining else []

    async def _refuse(self, send: Send, refusal: Refusal, path: str) -> None:
        kind, body = body_of(refusal, path)
        await self._send(send, refusal.status, kind, body, *refusal.headers)

    async def _send(self, send: Send, status: int, kind: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        headers = ((b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers, *self._leaving)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _from_another_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another site, which any page could make it do (cross-site forgery)."""
    origin = host = b""
    for name, value in headers:
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    return bool(origin) and origin.partition(b"://")[2] != host


async def _in_our_words(request: Request, error: Exception) -> Response:
    """What FastAPI refuses, in the same form as what the gate refuses."""
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    refusal = FAILED
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        refusal = Refusal(HTTPStatus.NOT_FOUND, "no such route; GET /openapi.json lists them")
    elif isinstance(error, HTTPException):
        refusal = Refusal(HTTPStatus(error.status_code), f"{request.method} is not possible here")
    kind, body = body_of(refusal, request.url.path)
    return Response(body, refusal.status, headers, kind.decode())
