"""The robot's turn as a process: it acts first, then its LLM speaks; and it acts and goes on when the LLM fails."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers import llama_server
from tinyclf import Classifier
from tinyclf.hint import hint

ROOT = Path(__file__).parent.parent
WORDS = ("con làm được rồi", "i hurt my knee")
WHOLE = ["decision", "action", "request", "first token", "done"]


def talk(*options: object, said: str = "") -> str:
    """What the example prints; it must end with 0."""
    command = [sys.executable, "-m", "examples.robot_turn", *map(str, options)]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def texts(words: Sequence[str] = WORDS) -> list[str]:
    return [option for turn in words for option in ("--text", turn)]


def timelines(printed: str) -> list[list[tuple[str, float]]]:
    """The events of each turn with their times, as printed."""
    names = "|".join((*WHOLE, "failed"))
    events = [(m[1], float(m[2])) for m in re.finditer(rf"^({names}) +(\d+\.\d+)", printed, re.MULTILINE)]
    starts = [i for i, (name, _) in enumerate(events) if name == WHOLE[0]]
    return [events[a:b] for a, b in zip(starts, [*starts[1:], len(events)], strict=True)]


def actions(clf: Classifier, words: Sequence[str] = WORDS) -> list[str]:
    """What the robot must be seen to do for each of some turns without a turn before them."""
    chosen = [clf.labels.chosen(clf(turn).labels) for turn in words]
    return [
        " · ".join(cls.name for cls in classes)
        + (", the celebration starts" if any(cls.sparkle for cls in classes) else "")
        for classes in chosen
    ]


def test_it_acts_before_a_real_llm_speaks(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    picture = tmp_path / "new" / "turns.png"
    with llama_server() as url:
        printed = talk(*texts(), "--url", url, "--max-tokens", 8, "--language", "en", "--plot", picture)
    found = timelines(printed)
    assert [[name for name, _ in events] for events in found] == [WHOLE, WHOLE]
    for events in found:
        times = [at for _, at in events]
        assert times == sorted(times)
    assert printed.count("before the LLM's first word") == 2
    parts = re.findall(r"robot acts after \d+\.\d+ ms: .*\nrobot: \S", printed)
    assert len(parts) == 2, "each answer comes after the action"
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [path.name for path in picture.parent.iterdir()] == [picture.name]


def test_a_dead_llm_stops_no_robot(clf: Classifier, tmp_path: Path) -> None:
    printed = talk(*texts(), "--url", "http://127.0.0.1:9/v1", "--plot", tmp_path / "turns.png")
    assert re.findall(r"robot acts after \d+\.\d+ ms: (.*)", printed) == actions(clf)
    why = "the LLM gave no answer (no connection, or it broke: is the server up?)"
    assert printed.count(f"{why}; the robot has acted already, and the talk goes on") == 2
    assert [[name for name, _ in events] for events in timelines(printed)] == [[*WHOLE[:3], "failed"]] * 2
    assert (tmp_path / "turns.png").read_bytes().startswith(b"\x89PNG")


class Scripted(BaseHTTPRequestHandler):
    """An LLM server that plays its script, a line for each request, and keeps what it was sent."""

    protocol_version = "HTTP/1.1"
    script: list["Line"]
    bodies: list[dict[str, Any]]

    def do_GET(self) -> None:
        self.whole(200, {"object": "list", "data": [{"id": "parrot"}]})

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.script.pop(0)(self)

    def whole(self, status: int, body: object) -> None:
        """Send a body at once."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, *pieces: str) -> None:
        """Send the beginning of an answer."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self._chunk(json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}))

    def end(self) -> None:
        """End an answer as it should be."""
        self._chunk("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass

    def _chunk(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")


Line = Callable[[Scripted], None]


@contextmanager
def playing(*script: Line) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A scripted server; its base URL, and the bodies of the requests that it got."""
    bodies: list[dict[str, Any]] = []
    handler = type("Handler", (Scripted,), {"script": list(script), "bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", bodies
        finally:
            server.shutdown()


def answers(*pieces: str) -> Line:
    def play(to: Scripted) -> None:
        to.stream(*pieces)
        to.end()

    return play


def breaks_off(to: Scripted) -> None:
    to.stream("It broke")
    to.close_connection = True


def refuses(to: Scripted) -> None:
    to.whole(503, {"error": {"message": f"no time for {to.bodies[-1]['messages'][-1]['content']}"}})


def test_the_llm_is_told_the_mood_and_the_last_exchange(clf: Classifier) -> None:
    asked = "Hai cộng ba bằng mấy?"
    numbers = ("bốn", "năm", "sáu", "bảy", "tám", "mười")
    said = next(word for word in numbers if clf(word, asked).labels != clf(word).labels)  # the turn before matters
    with playing(answers("Hai cộng ba ", "bằng mấy?"), answers("Giỏi quá!")) as (url, bodies):
        printed = talk("--url", url, said=f"chơi toán đi pika\n\n{said}\n")
    assert f"robot: {asked}\n" in printed
    first, second = bodies
    assert (first["model"], first["stream"], first["max_tokens"]) == ("parrot", True, 80)
    for body, decision in ((first, clf("chơi toán đi pika")), (second, clf(said, asked))):
        system = body["messages"][0]
        assert system["role"] == "system"
        assert system["content"].endswith(f" {hint(clf.labels, decision.labels, 'vi')}")
        assert clf.labels.chosen(decision.labels)[0].name in printed
    assert [(m["role"], m["content"]) for m in second["messages"][1:]] == [
        ("user", "chơi toán đi pika"), ("assistant", asked), ("user", said),
    ]  # fmt: skip


def test_an_answer_that_fails_is_told_and_the_talk_goes_on(clf: Classifier) -> None:
    over = threading.Event()

    def stalls(to: Scripted) -> None:
        to.stream("It stalled")
        over.wait(20)

    script = (breaks_off, stalls, answers(), refuses, answers("It went well"))
    words = ["con vui quá", "i hurt my knee", "tomorrow we go to the zoo", "why is the sky blue", "i won the race"]
    with playing(*script) as (url, bodies):
        try:
            printed = talk(*texts(words), "--url", url, "--deadline", 1.5, "--language", "en")
        finally:
            over.set()
    assert len(bodies) == len(words), "nothing is tried twice"
    assert [[name for name, _ in events][-2:] for events in timelines(printed)] == [
        ["first token", "failed"], ["first token", "failed"], ["request", "done"], ["request", "failed"],
        ["first token", "done"],
    ]  # fmt: skip
    for said in (
        "then the LLM broke off (no connection, or it broke: is the server up?), and the talk goes on",
        "then the LLM broke off (not done before the deadline), and the talk goes on",
        "the LLM gave no answer (it wrote nothing); the robot has acted already, and the talk goes on",
        "the LLM gave no answer (HTTP 503); the robot has acted already, and the talk goes on",
    ):
        assert said in printed
    heard = [[m["content"] for m in body["messages"][1:-1]] for body in bodies]
    assert heard == [[], [words[0], "It broke"], [words[1], "It stalled"], [], []]
    assert not any(turn in printed for turn in words), "what servers say may quote the child"


def test_help_teaches() -> None:
    printed = talk("--help")
    assert "python -m benchmarks.local_llm --port 8080" in printed
    assert "--language" in printed
