"""The service under input that nobody would send on purpose: never a 5xx, always the documented form."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import service

ROUTES = st.sampled_from(["/v1/classify", "/v1/classify/batch", "/v1/chat/completions"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.sampled_from(["utterance", "previous", "reply", "full", "turns", "messages", "role", "content", "stream"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with service() as url, httpx2.Client(base_url=url) as client:
        yield client


def test_schemathesis_finds_no_answer_that_the_document_does_not_describe(http: httpx2.Client, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{http.base_url}/openapi.json", "--checks", "all",
        "--max-examples", "40", "--seed", "1", "--no-color", "--generation-database", "none",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:]


@settings(max_examples=300)
@given(ROUTES, st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_gets_an_answer_that_is_no_5xx(http: httpx2.Client, route: str, body: bytes) -> None:
    answer = http.post(route, content=body)
    assert answer.status_code in (200, 400, 422)
    assert answer.json()


@given(st.text(), st.text(), st.text())
def test_any_text_is_decided_in_the_wire_form(http: httpx2.Client, said: str, before: str, after: str) -> None:
    said, before, after = (text.encode("utf-8", "replace").decode() for text in (said, before, after))
    labels = http.get("/v1/labels").json()
    heads: dict[str, Any] = {head["name"]: [c["name"] for c in head["classes"]] for head in labels["heads"]}
    form = f'[CONTEXT]\nuser_last_message: "{said}"\npika_response: "{after}"'
    messages = [{"role": "assistant", "content": before}, {"role": "user", "content": form}]
    answer = http.post("/v1/chat/completions", json={"messages": messages}).json()
    found = json.loads(answer["choices"][0]["message"]["content"])
    assert found.keys() == heads.keys()
    assert all(found[head] in names for head, names in heads.items())
