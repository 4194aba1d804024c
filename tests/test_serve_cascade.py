"""The service with an LLM behind it: healthy, late, dead, and the file of unsure turns."""

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.servers import figure, service, stub_server, wait_for
from tests.turns import SURE, UNSURE

ASKING = ("--llm", "vllm", "--llm-model", "stub", "--deadline-ms", "5000", "--llm-url")


def decide(url: str, utterance: str = UNSURE) -> dict[str, object]:
    """One decision."""
    found: dict[str, object] = httpx2.post(f"{url}/v1/classify", json={"utterance": utterance}, timeout=30).json()
    return found


def teaches(url: str) -> bool:
    """Whether the LLM decides an unsure turn by now."""
    return decide(url)["source"] == "teacher"


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[str, str]]:
    """A service with a healthy LLM, and the LLM."""
    with stub_server() as llm, service(*ASKING, llm) as url:
        wait_for(lambda: teaches(url))
        yield url, llm


def test_the_teacher_decides_where_the_student_is_unsure(asked: tuple[str, str]) -> None:
    url, _ = asked
    assert decide(url)["degraded"] is False
    assert decide(url, SURE)["source"] == "student"
    chat = {"messages": [{"role": "user", "content": UNSURE}]}
    content = httpx2.post(f"{url}/v1/chat/completions", json=chat).json()["choices"][0]["message"]["content"]
    labels = decide(url)
    assert json.loads(content).items() <= labels.items()
    assert figure(url, 'tinyclf_cascade_total{outcome="answered"}') >= 4
    assert figure(url, 'tinyclf_breaker_state{lane="first"}') == 0
    batch = httpx2.post(f"{url}/v1/classify/batch", json={"turns": [{"utterance": UNSURE}]}).json()
    assert batch["decisions"][0]["source"] == "student", "a batch asks nobody"


def test_a_dead_llm_leaves_the_service_as_it_is() -> None:
    with service(*ASKING, "http://127.0.0.1:9/v1") as url:
        assert httpx2.get(f"{url}/readyz").status_code == 200
        found = [decide(url) for _ in range(30)]
        assert all(decision["degraded"] and decision["source"] == "student" for decision in found)
        assert figure(url, 'tinyclf_breaker_state{lane="first"}') == 2
        assert figure(url, 'tinyclf_cascade_total{outcome="open"}') == 20
        assert figure(url, "tinyclf_degraded_total") == 30


def test_an_llm_that_stalls_is_given_up_at_the_deadline_and_another_one_asked() -> None:
    with stub_server(timeout=1.0) as stalls, stub_server() as answers:
        options = (
            *ASKING[:4],
            "--deadline-ms",
            "4000",
            "--llm-url",
            stalls,
            "--hedge",
            "vllm",
            "--hedge-model",
            "stub",
        )
        with service(*options, "--hedge-url", answers) as url:
            wait_for(lambda: teaches(url))
            start = time.perf_counter()
            assert decide(url)["source"] == "teacher"
            assert time.perf_counter() - start < 20, "the stub stalls for 30 s"


def test_an_llm_that_comes_later_is_found(free_tcp_port: int) -> None:
    with service(*ASKING, f"http://127.0.0.1:{free_tcp_port}/v1", "--llm-open-s", "0.1") as url:
        assert decide(url)["degraded"]
        with stub_server(port=free_tcp_port):
            wait_for(lambda: teaches(url))


def test_unsure_turns_are_kept_only_when_told_and_with_who_decided(asked: tuple[str, str], tmp_path: Path) -> None:
    _, llm = asked
    kept = tmp_path / "unsure.jsonl"
    with service(*ASKING, llm, "--capture", kept) as url:
        wait_for(lambda: teaches(url))
        decide(url, SURE)
        assert figure(url, 'tinyclf_captured_total{result="written"}') >= 1
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert {row["utterance"] for row in rows} == {UNSURE}
    assert {row["guess"]["source"] for row in rows} <= {"student", "teacher"}
    assert "teacher" in rows[-1]["guess"]["source"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
