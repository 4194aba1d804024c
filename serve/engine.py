"""The engine: decides turns for all routes, and can be given another bundle while it does."""

import asyncio
import logging
import time
from time import perf_counter_ns

from serve.fingerprint import fingerprint
from serve.metrics import Metrics
from serve.settings import Settings
from serve.teacher import cascade_of
from tinyclf import BundleError, Capture, Classifier, Decision, LabelSet, Turn

log = logging.getLogger("tinyclf.serve")


class Engine:
    """One per process. ``classifier`` holds the bundle that decides now; a request keeps the one it began with."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.seen = fingerprint(settings.bundle)
        """What the bundle's folder looked like before it was read."""
        self.classifier = Classifier.load(settings.bundle, settings.point)
        self.teacher = cascade_of(settings, self.classifier, metrics.asked)
        self.cascade = self.teacher.cascade if self.teacher else None
        self.capture = (
            Capture(settings.capture, settings.capture_limit, settings.capture_days) if settings.capture else None
        )
        self.started = int(time.time())
        self._swapping = asyncio.Lock()
        self._note_bundle()

    @property
    def digest(self) -> str:
        """The first digits of the manifest's digest: which bundle decides."""
        return str(self.classifier.bundle.manifest["sha256"])[:12]

    async def decide(self, turn: Turn) -> Decision:
        """Decide one turn, with the LLM's help where there is one and the student is unsure."""
        start = perf_counter_ns()
        decision = self.classifier(turn.utterance, turn.previous, turn.reply)
        if self.cascade and self.cascade.wants(decision):
            decision = await self.cascade.ask(decision, turn, start)
        self._note(decision, turn)
        return decision

    async def decide_all(self, turns: list[Turn], at_once: int = 32) -> list[Decision]:
        """Decide many turns with the student alone, letting other requests through in between."""
        found: list[Decision] = []
        classifier = self.classifier
        for at in range(0, len(turns), at_once):
            chunk = turns[at : at + at_once]
            for turn, decision in zip(chunk, classifier.batch(chunk), strict=True):
                self._note(decision, turn)
                found.append(decision)
            await asyncio.sleep(0)
        return found

    def note(self, in_flight: int) -> None:
        """Bring the gauges up to date, and the capture file within its age."""
        self.metrics.in_flight.set(in_flight)
        if self.teacher:
            self.metrics.breakers(self.teacher.breakers)
        if self.capture:
            self.capture.tidy()

    async def swap(self) -> bool:
        """Load the bundle folder anew beside the bundle that decides, verify and warm it, then switch.

        One that is damaged or decides other labels is refused, and the old one goes on. Whether it was switched.
        """
        async with self._swapping:
            try:
                new = await asyncio.to_thread(Classifier.load, self.settings.bundle, self.settings.point)
                _check_same_wire_form(self.classifier.labels, new.labels)
            except Exception as error:  # whatever is wrong with it, the old one goes on
                self.metrics.swaps.labels("refused").inc()
                why = str(error) if isinstance(error, BundleError) else type(error).__name__
                log.error("new bundle refused, bundle %s goes on: %s", self.digest, why)
                return False
            self.classifier = new
            if self.cascade:
                self.cascade.classifier = new
            self.metrics.swaps.labels("switched").inc()
            self._note_bundle()
            log.info("bundle %s decides now", self.digest)
            return True

    def _note(self, decision: Decision, turn: Turn) -> None:
        self.metrics.decided(decision)
        if self.capture and self.capture.wants(decision):
            written = self.capture(decision, turn.utterance, turn.previous, turn.reply)
            self.metrics.captured.labels("written" if written else "lost").inc()

    def _note_bundle(self) -> None:
        self.metrics.serving(self.classifier.labels.name, self.digest, self.settings.point)


def _check_same_wire_form(old: LabelSet, new: LabelSet) -> None:
    """Clients, metrics and the LLM's questions hang on heads and classes: others need a restart, seen by people."""
    if [(h.name, h.kind, h.names) for h in old.heads] != [(h.name, h.kind, h.names) for h in new.heads]:
        raise BundleError("it has other heads or classes than the bundle that decides; restart the service for it")
