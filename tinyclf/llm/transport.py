"""One chat request and its reply, with every way it can go wrong told apart."""

import math
from dataclasses import dataclass
from typing import Any

from tinyclf.errors import LlmError

try:
    import httpx2
    import openai
except ImportError as error:
    raise ImportError(f"the LLM path needs {error.name}: pip install 'tinyclf[llm]'") from error

Body = dict[str, Any]

FATAL = {401: "the key is refused", 404: "no such model or route"}
OVERLOAD = (429, 503, 529)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the text, the log-probabilities of its first choice, and what it cost in tokens."""

    content: str
    logprobs: Any
    cut: bool
    tokens_in: int
    tokens_cached: int
    tokens_out: int


class Transport:
    """Sends chat requests to one OpenAI-compatible server. It never tries twice: that is for its caller to decide.

    ``quote``: whether errors tell what the server says. It may quote the turn, so only the probe, whose turn is its
    own, may switch it on.
    """

    def __init__(self, url: str, key: str) -> None:
        self.url, self.quote = url.rstrip("/"), False
        self._client = openai.AsyncOpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=httpx2.Timeout(None))

    async def chat(self, body: Body) -> Reply:
        """One chat completion; ``LlmError`` when there is none. The time limit is the caller's."""
        return _reply(_json(await self._send("post", "/chat/completions", body)))

    async def call(self, method: str, route: str, body: Body | None = None) -> Any:
        """The JSON of another route: below the base URL, or an absolute one (``/version`` from the server's root)."""
        return _json(await self._send(method, route, body))

    @property
    def root(self) -> str:
        """The server's address without ``/v1``."""
        return self.url.removesuffix("/v1")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _send(self, method: str, route: str, body: Body | None) -> httpx2.Response:
        try:
            if method == "post":
                return await self._client.post(route, cast_to=httpx2.Response, body=body)
            return await self._client.get(route, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            raise _refusal(error, self.quote) from None  # the cause may quote the turn
        except openai.APITimeoutError:
            raise LlmError("timeout", "no answer in time") from None
        except openai.APIConnectionError as error:
            kind = type(error.__cause__ or error).__name__
            raise LlmError("connection", f"no connection, or it broke ({kind}): is the server up?") from None


def _refusal(error: openai.APIStatusError, quote: bool) -> LlmError:
    status = error.status_code
    if status in FATAL:
        return LlmError("refused", f"HTTP {status}: {FATAL[status]}", fatal=True)
    if status == 403:  # of one request, as of a filter, or of all: the probe has seen which
        return LlmError("refused", "HTTP 403: the server refuses the request")
    if status in OVERLOAD:
        wait = _retry_after(error.response.headers)
        return LlmError("overload", f"HTTP {status}: the server is busy", retry_after=wait)
    if status == 408:
        return LlmError("timeout", "HTTP 408: the server gave up waiting")
    if status >= 500:
        return LlmError("server", f"HTTP {status}: the server failed")
    body = error.body if isinstance(error.body, dict) else {}
    said = f": {body.get('message') or body.get('detail') or error.message}" if quote else ""
    return LlmError("rejected", f"HTTP {status}: the server rejects the request{said}")


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3; the form with a date is not used by LLM servers)."""
    try:
        wait = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(wait, 0.0) if math.isfinite(wait) else None


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise LlmError("bad-body", f"HTTP {response.status_code} with a body that is not JSON") from None


def _reply(body: Any) -> Reply:
    try:
        choice = body["choices"][0]
        content, cut = choice["message"]["content"] or "", choice.get("finish_reason") == "length"
        usage = body.get("usage") or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        counts = [int(count or 0) for count in (usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))]
        if not isinstance(content, str):
            raise TypeError
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
        raise LlmError("bad-body", "HTTP 200 without an answer in it") from None
    return Reply(content, choice.get("logprobs"), cut, *counts)
