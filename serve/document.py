"""The OpenAPI document: FastAPI describes its own routes, this describes the hot ones from the types they read."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serve.chat import ChatBody
from serve.classify import BatchBody, TurnBody
from serve.service import Service
from tinyclf.decision import Source
from tinyclf.labelset import Head

REFUSALS = {
    "400": "The body is not valid JSON.",
    "401": "A key is needed, and none or a wrong one was sent.",
    "408": "The body was not whole in time.",
    "413": "The body is too long.",
    "422": "The body is JSON of the wrong form; the field is named.",
    "503": "Too many requests are being answered; `retry-after` says when to try again.",
}
PROBLEM = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
    },
}
OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
COMPLETION = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "chat.completion"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "object"}},
        "usage": {"type": "object"},
    },
}


def describe(service: Service, heads: Sequence[Head]) -> None:
    """Put the hot routes into the router, where other methods than theirs get 405, and into the document."""
    for method, path in service.hot:
        service.router.routes.append(Route(path, _Elsewhere(), methods=[method]))
    (turn, batch, chat), components = msgspec.json.schema_components(
        [TurnBody, BatchBody, ChatBody], ref_template="#/components/schemas/{name}"
    )
    decision = _decision(heads)
    decisions = {
        "type": "object",
        "required": ["decisions"],
        "properties": {"decisions": {"type": "array", "items": {"$ref": "#/components/schemas/Decision"}}},
    }
    one = {"$ref": "#/components/schemas/Decision"}
    paths = {
        "/v1/classify": _operation("Decide one turn", "tinyclf", turn, {"application/json": one}),
        "/v1/classify/batch": _operation("Decide many turns", "tinyclf", batch, {"application/json": decisions}),
        "/v1/chat/completions": _operation(
            "Decide the turn in a chat request", "OpenAI protocol", chat,
            {"application/json": COMPLETION, "text/event-stream": {}},
        ),
    }  # fmt: skip

    def openapi() -> dict[str, Any]:
        if not service.openapi_schema:
            found = get_openapi(
                title=service.title, version=service.version, description=service.description, routes=service.routes
            )
            found["paths"] = paths | found["paths"]
            found.setdefault("components", {}).setdefault("schemas", {}).update({**components, "Decision": decision})
            if service.keys:
                found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                found["security"] = [{"key": []}]
            service.openapi_schema = found
        return service.openapi_schema

    service.openapi = openapi  # type: ignore[method-assign]


class _Elsewhere:
    """Stands in the router for a hot route, which the gate answers; what comes here has a path that is hardly it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(404)


def _operation(summary: str, tag: str, body: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    openai = tag != "tinyclf"
    kind, schema = ("application/json", OPENAI_ERROR) if openai else ("application/problem+json", PROBLEM)
    refusals = {code: {"description": text, "content": {kind: {"schema": schema}}} for code, text in REFUSALS.items()}
    found = {"description": "The decision.", "content": {name: {"schema": answer} for name, answer in answers.items()}}
    return {
        "post": {
            "summary": summary, "tags": [tag], "operationId": summary.lower().replace(" ", "_"),
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"200": found, **refusals},
        }
    }  # fmt: skip


def _decision(heads: Sequence[Head]) -> dict[str, Any]:
    """The schema of a decision, with the classes of this label set."""
    always = {
        **{head.name: _labels(head) for head in heads},
        "confidence": {"type": "number"}, "sure": {"type": "boolean"},
        "source": {"type": "string", "enum": list(get_args(Source))},
        "degraded": {"type": "boolean"}, "microseconds": {"type": "number"},
    }  # fmt: skip
    return {
        "type": "object", "required": list(always),
        "properties": {**always, "probabilities": {"type": "object"}},
    }  # fmt: skip


def _labels(head: Head) -> dict[str, Any]:
    """The schema of a head's answer: one class, or a list of them."""
    one = {"type": "string", "enum": list(head.names)}
    return one if head.kind == "one-of" else {"type": "array", "items": one}
