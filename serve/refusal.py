"""Refusals: every answer that is no decision, in the convention of the API that was asked.

Own routes answer with problem details (RFC 9457), routes of the OpenAI protocol with its error object. Neither ever
repeats what was sent.
"""

from http import HTTPStatus
from typing import Any

import msgspec

Headers = list[tuple[bytes, bytes]]
JSON = b"application/json"

CLOSE: Headers = [(b"connection", b"close")]
UNREAD = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""After these the rest of the body is not wanted."""
OPENAI_ROUTES = ("/v1/chat/", "/v1/models")


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of this program
    """A request that gets no decision. ``field`` names what is wrong in its body, ``wait`` when to try again."""

    def __init__(self, status: HTTPStatus, detail: str, *, field: str = "", wait: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field, self.wait = status, detail, field, wait

    @property
    def headers(self) -> Headers:
        """Headers that belong to the status."""
        found: Headers = []
        if self.wait is not None:
            found.append((b"retry-after", str(self.wait).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            found.append((b"www-authenticate", b"Bearer"))
        if self.status in UNREAD:
            found += CLOSE
        return found


def body_of(refusal: Refusal, path: str) -> tuple[bytes, bytes]:
    """The content type and the body of a refusal, as the API behind ``path`` words it."""
    if not path.startswith(OPENAI_ROUTES):
        problem: dict[str, Any] = {"title": refusal.status.phrase, "status": refusal.status, "detail": refusal.detail}
        if refusal.field:
            problem["field"] = refusal.field
        return b"application/problem+json", msgspec.json.encode(problem)
    server = refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    error = {
        "message": refusal.detail,
        "type": "server_error" if server else "invalid_request_error",
        "param": refusal.field or None,
        "code": "invalid_api_key" if refusal.status == HTTPStatus.UNAUTHORIZED else None,
    }
    return JSON, msgspec.json.encode({"error": error})
