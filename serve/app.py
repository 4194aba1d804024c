"""The app: settings in, a service out, with everything that lives as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from serve.chat import Chat
from serve.classify import Classify, ClassifyBatch
from serve.document import describe
from serve.engine import Engine
from serve.garbage import settle
from serve.keys import Keys
from serve.metrics import Metrics
from serve.pages import add_pages
from serve.service import Service
from serve.settings import Settings
from serve.signals import signals
from serve.watch import watch
from tinyclf import __version__


def create_app(settings: Settings) -> Service:
    """The service that the settings describe; ``TinyclfError`` when the bundle or the LLM settings are no good."""
    metrics = Metrics()
    engine = Engine(settings, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if engine.teacher:
            engine.teacher.start()
        settle()
        watching = asyncio.create_task(watch(engine, service, settings.watch))
        with signals(engine, service, settings.drain):
            yield
        watching.cancel()
        if engine.teacher:
            await engine.teacher.aclose()

    service = Service(
        Keys(settings.keys), metrics, settings.max_in_flight, lifespan=lifespan, title="tinyclf",
        version=__version__, description="Which emotion a talking robot should show, from the child's words.",
        redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    service.hot = {
        ("POST", "/v1/classify"): Classify(engine),
        ("POST", "/v1/classify/batch"): ClassifyBatch(engine),
        ("POST", "/v1/chat/completions"): Chat(engine),
    }
    add_pages(service, engine)
    describe(service, engine.classifier.labels.heads)
    return service
