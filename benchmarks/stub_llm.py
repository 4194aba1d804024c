"""A stand-in for an LLM server, as fast or slow, right or wrong as told: ``python -m benchmarks.stub_llm``.

It speaks the chat completions protocol over plain sockets, so that it costs little beside what is measured. What it
answers follows from the turn's digest alone. ``GET /stats`` tells how often it was asked.
"""

import argparse
import asyncio
import hashlib
import json
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LETTER_LINE = re.compile(r"^([A-Za-z])\. (.+)$", re.MULTILINE)
OLD_SERVICE = ((0.0, 0.050), (0.5, 0.075), (0.99, 0.430), (0.9999, 21.0))
"""Share of the requests to seconds: figures of the service that this replaces (median 75 ms, P99 430 ms, worst 21 s).

Its least latency and how often its worst came are not known: the worst is taken as one in 10,000, which is kind to it.
"""
PROFILES = {"old": OLD_SERVICE}
FLAT = {"object": "error", "type": "BadRequestError", "param": None}


class DroppedError(Exception):
    """The connection shall break in mid-body."""


@dataclass
class Stub:
    """``faults``: name to rate, 0 to 1; the names are those that ``_chat`` knows.

    ``latency``: seconds of every answer; ``profile``: one of ``PROFILES`` to draw them from instead.
    ``log_probabilities``, ``constrained``: whether it honours such requests.
    ``flat_errors``: TensorRT-LLM's error bodies instead of OpenAI's. ``stall``: seconds that a "timeout" lasts.
    ``grace``: the first so many answers are without faults, so that a probe gets through.
    """

    latency: float = 0.0
    faults: dict[str, float] = field(default_factory=dict)
    log_probabilities: bool = True
    constrained: bool = True
    flat_errors: bool = False
    stall: float = 30.0
    models: tuple[str, ...] = ("stub",)
    key: str = ""
    grace: int = 0
    seed: int = 0
    profile: str = ""

    def __post_init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self._chance, self._pace = random.Random(self.seed), random.Random(self.seed)

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1 and return the base URL."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=2**22, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Close the listening socket."""
        self._server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = re.search(rb"content-length: (\d+)", head.lower())
                body = json.loads(await reader.readexactly(int(length[1]))) if length else {}
                allowed = not self.key or f"bearer {self.key}".encode() in head.lower()
                status, answer, headers = await self._answer(method, path, body) if allowed else (401, {}, "")
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                start = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}"
                writer.write(f"{start}content-length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except DroppedError:
            writer.write(b'HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n{"choices"')
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, str]:
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": name} for name in self.models]}, ""
        if path == "/stats":
            return 200, {"asked": dict(self.asked), "injected": dict(self.injected)}, ""
        if path == "/version":
            return 200, {"version": "1.0"}, ""
        if path == "/tokenize":
            return 200, {"tokens": [ord(body["prompt"][-1])], "token_strs": [body["prompt"][-1]]}, ""
        if path != "/v1/chat/completions":
            return 404, {"error": {"message": f"no route {path}", "code": 404}}, ""
        return await self._chat(body)

    async def _chat(self, body: dict[str, Any]) -> tuple[int, Any, str]:
        turn = body["messages"][-1]["content"]
        self.asked[turn] += 1
        await asyncio.sleep(drawn(PROFILES[self.profile], self._pace.random()) if self.profile else self.latency)
        fault = self._fault()
        if fault in ("400", "429", "503", "500"):
            message = {"message": f"injected; the turn was {turn}", "code": int(fault)}
            shape = FLAT | message if self.flat_errors else {"error": message}
            return int(fault), shape, "retry-after: 0.1\r\n" if fault in ("429", "503") else ""
        if fault == "timeout":
            await asyncio.sleep(self.stall)
        if fault == "drop":
            raise DroppedError
        if fault == "error-200":
            return 200, {"error": {"message": "something failed"}}, ""
        if fault == "not-json":
            return 200, b"<html>busy</html>", ""
        letters = LETTER_LINE.findall(body["messages"][0]["content"].rpartition("# Your answer")[2])
        content = self._line(body, turn) if not letters else letters[_digest(turn) % len(letters)][0]
        content = {"broken": content[:-3], "blank": " " * 40, "off-label": '{"x": "y"}'}.get(fault, content)
        choice: dict[str, Any] = {
            "message": {"role": "assistant", "content": content},
            "finish_reason": "length" if fault in ("broken", "blank") or letters else "stop",
        }
        if body.get("logprobs") and self.log_probabilities:
            choice["logprobs"] = {"content": [_logprobs(letters, turn, fault == "nan", "logprob_token_ids" in body)]}
        usage = {"prompt_tokens": 500, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 480}}
        return 200, {"object": "chat.completion", "choices": [choice], "usage": usage}, ""

    def _fault(self) -> str:
        if self.asked.total() <= self.grace:
            return ""
        draw = self._chance.random()
        for name, rate in self.faults.items():
            if draw < rate:
                self.injected[name] += 1
                return name
            draw -= rate
        return ""

    def _line(self, body: dict[str, Any], turn: str) -> str:
        """The answer in JSON that the request's schema, pattern or grammar asks for; free text where it is ignored."""
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        if not self.constrained or not schema:
            return "Hello! How can I help you today?"
        answer: dict[str, Any] = {}
        for name, kind in schema["properties"].items():
            # The first head as the digest says; then what label sets least often forbid beside it.
            classes = kind.get("enum")
            answer[name] = (classes[-1] if answer else classes[_digest(turn) % len(classes)]) if classes else []
        return json.dumps(answer)


def drawn(table: Sequence[tuple[float, float]], share: float) -> float:
    """The seconds at a share of the requests, 0 to 1: log-linear between the table's entries over the share's nines.

    The nines of a share are -log10(1 - share): 0.9 has one, 0.99 two.
    """
    nines = [-math.log10(1 - known) for known, _ in table]
    wanted = -math.log10(max(1 - share, 1e-12))
    for i in range(1, len(table)):
        if wanted < nines[i]:
            (_, low), (_, high) = table[i - 1 : i + 1]
            return float(low * (high / low) ** ((wanted - nines[i - 1]) / (nines[i] - nines[i - 1])))
    return table[-1][1]


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def _logprobs(letters: list[tuple[str, str]], turn: str, nan: bool, by_id: bool) -> dict[str, Any]:
    """Two spellings of each letter; the option that the turn's digest picks gets 0.7, whatever its letter."""
    options = sorted(option for _, option in letters)
    right = options[_digest(turn) % len(options)]
    listed: list[dict[str, Any]] = []
    for letter, option in letters:
        p = 0.7 if option == right else 0.2 / max(len(letters) - 1, 1)
        for spelling, share in ((letter, 0.75), (f" {letter}", 0.25)):
            token = f"token_id:{ord(letter)}" if by_id else spelling
            listed.append({"token": token, "logprob": float("nan") if nan else math.log(p * share)})
    listed.sort(key=lambda entry: -entry["logprob"])
    return {**listed[0], "top_logprobs": listed}


async def serve(stub: Stub, port: int) -> None:
    """Print the base URL and serve until killed."""
    print(await stub.start(port), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="", help="latencies of another service")
    parser.add_argument("--stall", type=float, default=30.0, help="seconds that an injected timeout lasts")
    parser.add_argument("--faults", type=json.loads, default={}, help='such as {"429": 0.05}')
    parser.add_argument("--grace", type=int, default=2, help="so many answers without faults first")
    given = parser.parse_args()
    stub = Stub(given.latency, given.faults, stall=given.stall, grace=given.grace, profile=given.profile)
    asyncio.run(serve(stub, given.port))
