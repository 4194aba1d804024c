"""Everything that is not asked per turn: who serves, how it fares, what its labels are, and the playground."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from serve.engine import Engine
from serve.service import Service
from tinyclf.labelset import Example, Head

PLAYGROUND = Path(__file__).parent / "playground"
FILES = {path.name: path for path in PLAYGROUND.glob("*.*")}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def add_pages(app: Service, engine: Engine) -> None:
    """Add the routes to the app."""
    _add_api(app, engine)
    _add_health(app, engine)
    _add_playground(app)


def _add_api(app: Service, engine: Engine) -> None:
    @app.get("/v1/models", tags=["OpenAI protocol"])
    async def models() -> dict[str, Any]:
        """The one model there is; chat requests may name any."""
        model = {
            "id": engine.classifier.labels.name, "object": "model", "created": engine.started, "owned_by": "tinyclf",
        }  # fmt: skip
        return {"object": "list", "data": [model]}

    @app.get("/v1/labels", tags=["tinyclf"])
    async def labels() -> dict[str, Any]:
        """What the robot can be told: heads, classes with their looks and hints, and example turns."""
        found = engine.classifier.labels
        return {
            "name": found.name, "bundle": engine.digest, "point": engine.settings.point, "key_needed": bool(app.keys),
            "heads": [_head(head) for head in found.heads],
            "examples": [_example(example) for example in found.examples],
        }  # fmt: skip


def _add_health(app: Service, engine: Engine) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"], responses={503: {"description": "It is shutting down."}})
    async def readyz() -> JSONResponse:
        """Whether to send requests here: it decides, and is not shutting down. An LLM that is down changes nothing."""
        status = "draining" if app.draining else "ready"
        return JSONResponse({"status": status, "bundle": engine.digest}, 503 if app.draining else 200)

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def metrics() -> Response:
        """The figures of all workers, for Prometheus."""
        engine.note(app.in_flight)
        return Response(engine.metrics.page(), headers={"content-type": CONTENT_TYPE_LATEST})


def _add_playground(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def playground() -> FileResponse:
        return FileResponse(FILES["index.html"], headers=HEADERS)

    @app.get("/playground/{name}", include_in_schema=False)
    async def playground_file(name: str) -> FileResponse:
        if name not in FILES:
            raise HTTPException(404)
        return FileResponse(FILES[name], headers=HEADERS)


def _head(head: Head) -> dict[str, Any]:
    classes = [
        {"name": c.name, "definition": c.definition, "look": asdict(c.look) if c.look else None,
         "sparkle": c.sparkle, "hint": dict(c.hint)}
        for c in head.classes
    ]  # fmt: skip
    return {
        "name": head.name,
        "kind": head.kind,
        "question": head.question,
        "default": head.default,
        "classes": classes,
    }


def _example(example: Example) -> dict[str, Any]:
    return {**asdict(example.turn), "labels": dict(example.labels), "why": example.why}
