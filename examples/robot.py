"""A robot that decides and acts on the CPU, and then has an LLM write its answer in that mood. Copy it.

``act`` is where your robot's controller goes.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import openai
from openai.types.chat import ChatCompletionMessageParam

from examples.timeline import ACTION, DECISION, DONE, FAILED, FIRST_TOKEN, REQUEST, Timeline
from tinyclf import Classifier
from tinyclf.hint import hint

PERSONA = {
    "vi": "Bạn là Pika, chú robot nhỏ trò chuyện với trẻ em từ 4 đến 10 tuổi. Xưng là Pika, gọi bé là con. "
    "Trả lời bằng tiếng Việt, một hoặc hai câu ngắn.",
    "en": "You are Pika, a small robot who talks with children of about 4 to 10. "
    "Answer in English, in one or two short sentences.",
}


class Robot:
    """One talk with one child; remembers the last exchange.

    ``language``: that of the persona and the hints. ``deadline``: seconds for a whole answer. Nothing is tried twice: a
    child does not wait for a second attempt.
    """

    def __init__(
        self, classifier: Classifier, url: str, model: str, language: str, max_tokens: int, deadline: float
    ) -> None:
        self.classifier, self.model, self.language = classifier, model, language
        self.max_tokens, self.deadline = max_tokens, deadline
        key = os.environ.get("OPENAI_API_KEY", "none")
        self.llm = openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=deadline)
        self.exchange: list[ChatCompletionMessageParam] = []
        self.previous = ""

    async def turn(self, words: str) -> Timeline:
        """Decide, act, answer. It never raises for an LLM that fails: the timeline says so."""
        timeline = Timeline(words)
        decision = self.classifier(words, self.previous)
        timeline.mark(DECISION)
        timeline.chosen = self.classifier.labels.chosen(decision.labels)
        timeline.mark(ACTION)
        act(timeline)
        mood = hint(self.classifier.labels, decision.labels, self.language)
        self.previous = ""
        try:
            async with asyncio.timeout(self.deadline):
                timeline.mark(REQUEST)
                async for piece in self._answer(words, mood):
                    timeline.mark(FIRST_TOKEN)
                    print(piece if self.previous else f"robot: {piece}", end="", flush=True)
                    self.previous += piece  # also what breaks off was said
            timeline.mark(DONE)
            timeline.failure = "" if self.previous else "it wrote nothing"
        except Exception as error:  # a broken answer may raise anything, and the robot must go on
            timeline.mark(FAILED)
            timeline.failure = _why(error)
        heard: ChatCompletionMessageParam = {"role": "user", "content": words}
        self.exchange = [heard, {"role": "assistant", "content": self.previous}] if self.previous else []
        return timeline

    async def connect(self) -> None:
        """Open a connection, and take the server's first model where none was named."""
        models = await self.llm.models.list()
        self.model = self.model or models.data[0].id

    async def _answer(self, words: str, mood: str) -> AsyncIterator[str]:
        """The answer as it is written. The persona stands before the mood, so that servers cache it."""
        if not self.model:
            await self.connect()
        system = f"{PERSONA[self.language]} {mood}".strip()
        stream = await self.llm.chat.completions.create(
            model=self.model, max_tokens=self.max_tokens, stream=True,
            messages=[{"role": "system", "content": system}, *self.exchange, {"role": "user", "content": words}],
        )  # fmt: skip
        async with stream:
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


def act(timeline: Timeline) -> None:
    """Show the face, start the celebration: here a printed line, with you a message to the robot's controller."""
    celebration = ", the celebration starts" if timeline.sparkles else ""
    print(f"robot acts after {timeline.events[ACTION]:.3f} ms: {timeline.names}{celebration}", flush=True)


def _why(error: Exception) -> str:
    """Why there is no whole answer. Nothing that the server says is quoted, for it may quote the child."""
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return "not done before the deadline"
    if isinstance(error, openai.APIConnectionError):
        return "no connection, or it broke: is the server up?"
    return f"HTTP {error.status_code}" if isinstance(error, openai.APIStatusError) else type(error).__name__
