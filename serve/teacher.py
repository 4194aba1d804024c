"""The LLM side of the service: one or two labellers behind a cascade, which may be down when the service starts."""

import asyncio
import logging
from collections.abc import Callable

from serve.garbage import settle
from serve.settings import LlmSettings, Settings
from tinyclf import Breaker, Cascade, Classifier, LabelSet, LlmError, Turn
from tinyclf.race import Outcome, Teaches

log = logging.getLogger("tinyclf.serve")
EVERY = 5.0
"""Seconds between attempts to find out what a server honours."""


class Probed:
    """A labeller that is asked nothing before its server has shown, once, that it honours what is needed."""

    def __init__(self, settings: LlmSettings, labels: LabelSet) -> None:
        from tinyclf.llm import BACKENDS, Labeller  # only here: it needs the extra `llm`

        self.labeller = Labeller(
            labels, BACKENDS[settings.backend], settings.model, url=settings.url,
            style=settings.style, order_count=1, together=False, shots=settings.shots,
        )  # fmt: skip
        self.url = self.labeller.url
        self.ready = False

    async def __call__(self, turn: Turn) -> Teaches:
        """The labeller's answer, or ``LlmError`` while it is not known to be there."""
        if not self.ready:
            raise LlmError("not-ready", "the server has not answered the first questions yet")
        return await self.labeller(turn)

    async def get_ready(self) -> None:
        """Probe until it answers; this also fills its prompt cache."""
        from tinyclf.llm import probe

        said = ""
        while not self.ready:
            try:
                found = await probe(self.labeller)
                self.ready = True
                settle()
                log.info("the LLM %s on %s is there", found.model, found.server)
                for warning in found.warnings:
                    log.warning("LLM: %s", warning)
            except Exception as error:  # a server may answer anything; it is looked for again
                why = str(error) if isinstance(error, LlmError) else type(error).__name__
                if why != said:
                    log.error("the LLM is not there, the student decides alone: %s", said := why)
                await asyncio.sleep(EVERY)

    async def aclose(self) -> None:
        """Close its connections."""
        await self.labeller.aclose()


class Teacher:
    """The cascade of a service with the breakers that its metrics show."""

    def __init__(self, cascade: Cascade, probed: list[Probed]) -> None:
        self.cascade, self._probed = cascade, probed
        self.breakers = {name: lane.breaker for name, lane in zip(("first", "hedge"), cascade.lanes, strict=False)}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to probe, beside everything else."""
        self._tasks = [asyncio.create_task(probed.get_ready()) for probed in self._probed]

    async def aclose(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await self.cascade.aclose()


def cascade_of(settings: Settings, classifier: Classifier, observe: Callable[[Outcome], None]) -> Teacher | None:
    """The cascade that the settings describe; ``None`` without an LLM."""
    if settings.llm is None:
        return None
    asked = [Probed(llm, classifier.labels) for llm in (settings.llm, settings.hedge) if llm]
    breakers = [Breaker(settings.failure_rate, open_for=settings.open_for) for _ in asked]
    cascade = Cascade(
        classifier, asked[0], settings.deadline, in_flight=settings.llm_in_flight, breaker=breakers[0],
        hedge=asked[1] if len(asked) > 1 else None, hedge_after=0.4 * settings.deadline,
        hedge_breaker=breakers[-1], observe=observe,
    )  # fmt: skip
    return Teacher(cascade, asked)
