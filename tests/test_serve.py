"""The service over a real socket: decisions, the drop-in, refusals, keys, privacy."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from serve.app import create_app
from serve.service import Service
from serve.settings import Settings
from tests.servers import figure, process, service, stub_server, wait_for
from tests.turns import UNSURE
from tinyclf import Classifier

SAID, ANSWERED = "con voi ăn cỏ", "Đúng rồi, con giỏi lắm!"
CONTEXT = f'[CONTEXT]\nuser_last_message: "{SAID}"\npika_response: "{ANSWERED}"'
OLD_BODY = json.dumps(
    {
        "model": "Qwen/Qwen2.5-1.5B-Instruct-AWQ",
        "messages": [
            {"role": "system", "content": "You label Pika's answers. Answer with JSON alone."},
            {"role": "user", "content": CONTEXT},
        ],
        "temperature": 0,
        "max_tokens": 30,
        "extra_body": {"guided_json": {}},
    },
    ensure_ascii=False,
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service() as url:
        yield url


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url) as client:
        yield client


def labels_in(answer: Any) -> dict[str, Any]:
    """What a chat answer decides, read as today's robots read it."""
    found: dict[str, Any] = json.loads(answer["choices"][0]["message"]["content"])
    return found


@pytest.mark.parametrize(
    "turn",
    [
        {"utterance": "con làm được rồi"}, {"utterance": "bằng năm", "previous": "Hai cộng ba bằng mấy?"},
        {"utterance": SAID, "reply": ANSWERED}, {"utterance": ""}, {"utterance": "x" * 100_000},
        {"utterance": "con vui\u200b\u0000 🙂", "previous": None},
    ],
)  # fmt: skip
def test_the_service_decides_as_the_classifier_does(http: httpx2.Client, clf: Classifier, turn: dict[str, Any]) -> None:
    answer = http.post("/v1/classify", json={**turn, "full": True})
    expected = clf(**{name: text or "" for name, text in turn.items()}).to_dict()
    found = answer.json()
    assert answer.status_code == 200
    assert found.pop("microseconds") >= 0
    del expected["microseconds"]
    assert found == expected
    assert "probabilities" not in http.post("/v1/classify", json=turn).json()


def test_a_batch_decides_each_turn_as_one_alone(http: httpx2.Client) -> None:
    turns = [{"utterance": text} for text in ("con vui quá", "", "i lost my teddy", UNSURE)] * 40
    found = http.post("/v1/classify/batch", json={"turns": turns}).json()["decisions"]
    one_by_one = [http.post("/v1/classify", json=turn).json() for turn in turns]
    for decision in (*found, *one_by_one):
        del decision["microseconds"]
    assert found == one_by_one


def test_the_old_curl_works_with_another_port_alone(url: str, clf: Classifier, tmp_path: Path) -> None:
    """Byte for byte, by curl itself and as the bytes that curl sends."""
    (tmp_path / "body.json").write_text(OLD_BODY, encoding="utf-8")
    command = [
        "curl", "-s", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json",
        "-H", "Authorization: Bearer token-abc123", "--data-binary", f"@{tmp_path / 'body.json'}",
    ]  # fmt: skip
    by_curl = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    expected = json.loads(clf(SAID, reply=ANSWERED).to_json())
    assert labels_in(by_curl) == expected
    assert (by_curl["model"], by_curl["object"]) == ("Qwen/Qwen2.5-1.5B-Instruct-AWQ", "chat.completion")
    body = OLD_BODY.encode()
    host, port = url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer token-abc123\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        answer = HTTPResponse(connection)
        answer.begin()
        assert labels_in(json.loads(answer.read())) == expected


@pytest.mark.parametrize(
    "content",
    [
        CONTEXT,
        json.dumps({"user_last_message": SAID, "pika_response": ANSWERED}),
        json.dumps({"utterance": SAID, "reply": ANSWERED}),
        f"[CONTEXT]\r\nuser_last_message: {SAID}\r\npika_response: {ANSWERED}",
    ],
)
def test_the_forms_of_a_user_message(url: str, clf: Classifier, content: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    answer = client.chat.completions.create(model="any", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == clf(SAID, reply=ANSWERED).to_json()
    assert answer.model == "any"


def test_plain_text_has_what_the_robot_said_before(url: str, clf: Classifier) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    asked = "Hai cộng ba bằng mấy?"
    answer = client.chat.completions.create(
        model="any",
        messages=[
            {"role": "assistant", "content": asked},
            {"role": "user", "content": [{"type": "text", "text": "bằng năm"}]},
        ],
    )
    assert answer.choices[0].message.content == clf("bằng năm", asked).to_json()


def test_a_stream_says_the_same(url: str, clf: Classifier) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    stream = client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": CONTEXT}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == clf(SAID, reply=ANSWERED).to_json()
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert [model.id for model in client.models.list()] == [clf.labels.name]


REFUSED: list[tuple[str, bytes, int, str]] = [
    ("/v1/classify", b"{", 400, ""),
    ("/v1/classify", b"\xff\xfe", 400, ""),
    ("/v1/classify", b'{"utterance": "\\ud800"}', 400, ""),
    ("/v1/chat/completions", b'{"x": ' + b"[" * 100_000, 400, ""),
    ("/v1/classify", b"{}", 422, "utterance"),
    ("/v1/classify", b'{"utterance": 3}', 422, "utterance"),
    ("/v1/classify", b'{"utterance": "x", "previous": ["y"]}', 422, "previous"),
    ("/v1/classify", b'{"utterance": "x", "secret": 1}', 422, ""),
    ("/v1/classify/batch", b'{"turns": [{"utterance": "x"}, {"utterance": null}]}', 422, "turns[1].utterance"),
    ("/v1/classify/batch", b'{"turns": [' + b'{"utterance":""},' * 256 + b'{"utterance":""}]}', 422, "turns"),
    ("/v1/chat/completions", b"nonsense", 400, ""),
    ("/v1/chat/completions", b'{"messages": []}', 422, "messages"),
    ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": 7}]}', 422, "messages[0].content"),
    ("/v1/classify", b'{"utterance": "' + b"x" * (1 << 20) + b'"}', 413, ""),
    ("/v1/nothing", b"{}", 404, ""),
    ("/v1/classify%0A", b"{}", 404, ""),
    ("/v1/chat/nothing", b"{}", 404, ""),
]


@pytest.mark.parametrize(("route", "body", "status", "field"), REFUSED)
def test_refusals_name_the_field_in_each_apis_own_form(
    http: httpx2.Client, route: str, body: bytes, status: int, field: str
) -> None:
    answer = http.post(route, content=body)
    found = answer.json()
    assert answer.status_code == status
    if route.startswith("/v1/chat"):
        assert found["error"].keys() == {"message", "type", "param", "code"}
        assert found["error"]["param"] == (field or None)
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (found["status"], found.get("field", "")) == (status, field)
    assert "secret" not in answer.text


def test_a_body_without_a_length_is_bounded_too(http: httpx2.Client) -> None:
    assert http.post("/v1/classify", content=iter([b" " * 65_536] * 40)).status_code == 413


def test_other_methods_are_refused_and_head_is_get_without_a_body(http: httpx2.Client) -> None:
    assert http.get("/v1/classify").status_code == 405
    assert http.post("/healthz").headers["allow"] == "GET"
    for route in ("/", "/readyz", "/metrics", "/playground/playground.js"):
        answer = http.head(route)
        assert (answer.status_code, answer.content) == (200, b"")


def test_pages_of_other_sites_cannot_ask(http: httpx2.Client) -> None:
    turn = {"utterance": ""}
    own = {"origin": str(http.base_url).rstrip("/")}
    assert http.post("/v1/classify", json=turn, headers=own).status_code == 200
    assert http.post("/v1/classify", json=turn, headers={"origin": "https://example.com"}).status_code == 403


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.bodies.PATIENCE", 0.01)
    status, headers, _ = ask(create_app(Settings()), [])
    assert status == 408
    assert (b"connection", b"close") in headers


def test_a_client_that_leaves_before_its_body_is_whole_is_forgotten() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert ask(create_app(Settings()), messages) == (0, [], b"")


def test_health_models_and_metrics(http: httpx2.Client) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json()["status"] == "ready"
    http.post("/v1/classify", json={"utterance": UNSURE})
    page = http.get("/metrics").text
    assert 'tinyclf_request_seconds_bucket{le="0.0002",route="/v1/classify"}' in page
    for name in ("tinyclf_decisions_total{", "tinyclf_unsure_total", 'tinyclf_requests_total{route="/v1/classify"'):
        assert name in page
    assert "ngoại" not in page


def test_no_word_of_a_child_is_logged(tmp_path: Path) -> None:
    """Nor by the LLM's client, nor where a turn is captured. The words need no escape, so none can hide them."""
    log, kept = tmp_path / "log", tmp_path / "kept"
    said = "qwertz bà ngoại kể chuyện"
    with stub_server(_400=1.0) as llm:
        options = ("--llm", "vllm", "--llm-model", "stub", "--llm-url", llm, "--capture", str(kept))
        with process("-m", "serve", "--port", "0", "--log-level", "debug", *options, log=log) as (url, _):
            for route in ("/v1/classify", "/v1/classify/batch", "/v1/chat/completions", "/v1/qwertz?q=qwertz"):
                for body in (json.dumps({"utterance": said}), json.dumps({"qwertz": 1}), "qwertz", f'{{"x": "{said}'):
                    answer = httpx2.post(url + route, content=body.encode())
                    assert "qwertz" not in answer.text
            chat = {"messages": [{"role": "user", "content": said}]}

            def has_failed() -> bool:
                assert httpx2.post(f"{url}/v1/chat/completions", json=chat).status_code == 200
                return figure(url, 'tinyclf_cascade_total{outcome="failed"}') > 2

            wait_for(has_failed)
            assert "qwertz" not in httpx2.get(f"{url}/metrics").text
    assert "Started" in log.read_text()
    assert "qwertz" not in log.read_text()
    assert "qwertz" in kept.read_text()


def test_keys_are_needed_where_there_are_some(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# for the robots\ncorrect-horse-battery\nanother-long-enough-key\n")
    with service("--key-file", keys) as url:
        turn = {"utterance": "con vui"}
        for key in ("correct-horse-battery", "another-long-enough-key"):
            right = httpx2.post(f"{url}/v1/classify", json=turn, headers={"authorization": f"Bearer {key}"})
            assert right.status_code == 200
        for header in ("", "Bearer", "Bearer correct-horse-batter", "Basic correct-horse-battery", "Bearer é"):
            for method, route in (("POST", "/v1/classify"), ("GET", "/metrics"), ("GET", "/v1/models"), ("GET", "/x")):
                wrong = httpx2.request(method, url + route, json=turn, headers={b"authorization": header.encode()})
                assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        for route in ("/healthz", "/readyz", "/"):
            assert httpx2.get(url + route).status_code == 200


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        (["--host", "0.0.0.0"], "--insecure"),  # noqa: S104 - refused
        (["--key-file", "{folder}/short"], "short:1: a key is at least 16"),
        (["--bundle", "{folder}"], "manifest.json: missing"),
        (["--point", "bold"], "there are balanced, careful"),
        (["--hedge", "vllm"], "give --llm"),
        (["--llm", "groq"], "use the style json"),
        (["--llm", "vllm", "--hedge", "vllm"], "on another server"),
        (["--capture", "{folder}/no/such"], "No such file"),
    ],
)
def test_senseless_options_end_in_one_line(options: list[str], way_out: str, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abc\n")
    command = ["-m", "serve", "--port", "0", *(option.format(folder=tmp_path) for option in options)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert way_out in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def ask(app: Service, messages: list[dict[str, Any]]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Send messages of the server to the app, then nothing; status, headers and body of its answer."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "path": "/v1/classify", "headers": []}, receive, send))
    return (sent[0]["status"], list(sent[0]["headers"]), sent[1]["body"]) if sent else (0, [], b"")


def test_a_fault_inside_is_told_without_a_word_of_the_child(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any) -> tuple[bytes, bytes]:
        raise ValueError((await receive())["body"].decode())

    app = create_app(Settings())
    app.hot["POST", "/v1/classify"] = broken
    status, _, body = ask(app, [{"type": "http.request", "body": b"qwertz"}])
    assert (status, json.loads(body)["status"]) == (500, 500)
    assert "ValueError" in caplog.text
    assert "qwertz" not in caplog.text


def test_more_requests_than_the_limit_are_sent_away() -> None:
    with service("--max-in-flight", 1) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /v1/classify HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n{")
            wait_for(lambda: httpx2.post(f"{url}/v1/classify", json={"utterance": ""}).status_code == 503)
            answer = httpx2.post(f"{url}/v1/classify", json={"utterance": ""})
            assert answer.headers["retry-after"] == "1"
            assert httpx2.get(f"{url}/readyz").status_code == 200
        wait_for(lambda: httpx2.post(f"{url}/v1/classify", json={"utterance": ""}).status_code == 200)
