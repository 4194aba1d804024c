"""The labeller against a server that does all that servers do, over a real socket."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stub_llm import Stub
from tinyclf import LabelSet, Turn, default_labels
from tinyclf.errors import LlmError
from tinyclf.llm import BACKENDS, Labeller, probe
from tinyclf.llm.answer import read_json, read_letter
from tinyclf.llm.constraint import grammar, pattern
from tinyclf.llm.prompt import Prompt, messages
from tinyclf.llm.question import LETTERS, orders, questions

T = TypeVar("T")
TURN = Turn("con làm được rồi")


def asked(stub: Stub, do: Callable[[Labeller], Awaitable[T]], labels: LabelSet, backend: str, **options: Any) -> T:
    """What comes of asking a stub through a labeller."""

    async def main() -> T:
        url = await stub.start()
        async with Labeller(labels, BACKENDS[backend], "stub", url=url, **options) as labeller:
            return await do(labeller)

    return asyncio.run(main())


def entry(**tokens: float) -> dict[str, Any]:
    return by_name(**{token.replace("_", "▁"): p for token, p in tokens.items()})


def by_name(**tokens: float) -> dict[str, Any]:
    listed = [{"token": token, "logprob": math.log(p)} for token, p in tokens.items()]
    return {"content": [{**listed[0], "top_logprobs": listed}]}


def test_spellings_of_a_letter_are_added_up() -> None:
    p, mass = read_letter(entry(A=0.3, _A=0.2, B=0.25, The=0.15), (1, 0), {})
    assert mass == pytest.approx(0.75)
    assert p == pytest.approx([0.25 / 0.75, 0.5 / 0.75])


def test_a_letter_that_is_not_listed_is_bounded_by_what_the_listed_ones_leave() -> None:
    p, mass = read_letter(entry(A=0.5, The=0.4), (0, 1), {})
    assert mass == pytest.approx(0.5)
    assert p == pytest.approx([0.5 / 0.6, 0.1 / 0.6])
    p, _ = read_letter(entry(A=0.5, The=0.02), (0, 1), {})
    assert p[1] == pytest.approx(0.02 / 0.52)


def test_tokens_named_by_id_are_read_by_id() -> None:
    logprobs = by_name(**{"token_id:319": 0.6, "token_id:29909": 0.1, "token_id:350": 0.2, "token_id:7": 0.1})
    p, mass = read_letter(logprobs, (0, 1), {319: "A", 29909: "A", 350: "B"})
    assert mass == pytest.approx(0.9)
    assert p == pytest.approx([0.7 / 0.9, 0.2 / 0.9])


@pytest.mark.parametrize(
    ("logprobs", "reason"),
    [
        (None, "no-logprobs"),
        ({"content": []}, "no-logprobs"),
        ({"content": [{"token": "A", "logprob": 0.0, "top_logprobs": None}]}, "no-logprobs"),
        (entry(x=0.9), "off-label"),
        (entry(A=5.0), "bad-logprobs"),
        ({"content": [{"token": "A", "logprob": math.nan, "top_logprobs": []}]}, "bad-logprobs"),
        ({"content": [{"token": "A", "logprob": "0", "top_logprobs": []}]}, "bad-logprobs"),
    ],
)
def test_unusable_log_probabilities_are_told_apart(logprobs: Any, reason: str) -> None:
    with pytest.raises(LlmError) as caught:
        read_letter(logprobs, (0, 1), {})
    assert caught.value.reason == reason


@given(st.integers(2, len(LETTERS)), st.integers(1, 8), st.data())
def test_the_distribution_does_not_depend_on_the_order(options: int, count: int, data: st.DataObject) -> None:
    p = data.draw(st.lists(st.floats(0.01, 1), min_size=options, max_size=options))
    for order in orders(options, count):
        assert sorted(order) == list(range(options))
        listed = [{"token": LETTERS[i], "logprob": math.log(p[o] / sum(p))} for i, o in enumerate(order)]
        found, mass = read_letter({"content": [{**listed[0], "top_logprobs": listed}]}, order, {})
        assert mass == pytest.approx(1)
        assert found == pytest.approx([x / sum(p) for x in p])


@pytest.mark.parametrize(
    ("content", "cut", "reason"),
    [
        ('{"dish":"soup","allergens":["milk"', True, "truncated"),
        ('{"dish":"soup" "allergens"', False, "not-json"),
        (" " * 40, True, "truncated"),
        ("I think it is soup", False, "not-json"),
        ('{"dish":"pie","allergens":[]}', False, "off-label"),
        ('{"dish":["soup"],"allergens":[]}', False, "off-label"),
        ('{"dish":{"soup":1},"allergens":[]}', False, "off-label"),
        ('{"dish":"soup"}', False, "off-label"),
        ('{"dish":"soup","allergens":"milk, nuts"}', False, "off-label"),
        ("[" * 100_000, False, "not-json"),
        ('{"a":' * 100_000, False, "not-json"),
    ],
)
def test_unusable_json_is_told_apart(kitchen: LabelSet, content: str, cut: bool, reason: str) -> None:
    with pytest.raises(LlmError) as caught:
        read_json(content, kitchen.heads, cut=cut)
    assert caught.value.reason == reason


def test_json_may_stand_in_other_text(kitchen: LabelSet) -> None:
    content = '```json\n{ "dish" : "soup",\n "allergens": ["milk", "nuts"], "why": "hot" }\n```'
    assert read_json(content, kitchen.heads) == {"dish": "soup", "allergens": ("nuts", "milk")}


@given(st.text(max_size=300), st.booleans())
def test_no_answer_crashes_the_reader(content: str, cut: bool) -> None:
    try:
        read_json(content, default_labels().heads, cut=cut)
    except LlmError as error:
        assert content not in str(error) or len(content) < 20  # noqa: PT017


@given(st.text(max_size=200), st.text(max_size=50))
def test_no_word_of_a_turn_leaves_its_json(utterance: str, previous: str) -> None:
    system, user = messages("guide", Turn(utterance, previous))
    assert system["content"] == "guide"
    back = json.loads(user["content"])
    assert back["utterance"] == utterance.encode("utf-8", "replace").decode()
    assert user["content"].encode()


def test_the_prompt_holds_the_label_set_and_the_letters(kitchen: LabelSet) -> None:
    labels = default_labels()
    for question in questions(labels):
        for order in orders(len(question.options), 2):
            text = Prompt(labels).letter(question, order)
            assert text.startswith(Prompt(labels, None)._guide)
            assert [line[3:] for line in text.splitlines() if line[1:3] == ". "][-len(order) :] == [
                question.options[i] for i in order
            ]
    guide = Prompt(labels)._guide
    assert all(rule.when.split()[0] in guide for rule in labels.rules)
    assert guide.index(labels.rules[0].when[:20]) < guide.index(labels.rules[-1].when[:20])
    assert all(example.why in guide for example in labels.examples)
    assert labels.examples[0].why in Prompt(labels, 1)._guide
    assert labels.examples[1].why not in Prompt(labels, 1)._guide


def test_constraints_allow_every_answer_and_no_incompatible_one(kitchen: LabelSet) -> None:
    import re

    labels = default_labels()
    assert re.fullmatch(pattern(labels, labels.heads), '{"soll_emotion":"proud","soll_celebrate":"yes"}')
    assert not re.fullmatch(pattern(labels, labels.heads), '{"soll_emotion":"calm","soll_celebrate":"yes"}')
    assert not re.fullmatch(pattern(labels, labels.heads), '{"soll_emotion":"proud", "soll_celebrate":"yes"}')
    for answer in ('{"dish":"soup","allergens":[]}', '{"dish":"cake","allergens":["nuts","milk"]}'):
        assert re.fullmatch(pattern(kitchen, kitchen.heads), answer)
    assert grammar(kitchen, kitchen.heads).startswith('root ::= "{""\\"dish\\":"("\\"soup\\""|')


def test_letters_give_the_whole_distribution(kitchen: LabelSet) -> None:
    async def do(labeller: Labeller) -> Any:
        return await probe(labeller), await labeller(TURN), labeller.token_ids

    findings, answer, token_ids = asked(Stub(), do, kitchen, "vllm")
    assert (findings.server, findings.model, findings.warnings) == ("vllm 1.0", "stub", [])
    assert findings.log_probabilities == "of every letter"
    assert token_ids == {65: "A", 66: "B", 67: "C"}
    assert set(answer.raw) == {"dish", "allergens=nuts", "allergens=milk"}
    assert [len(rows) for rows in answer.raw.values()] == [2, 2, 2]
    assert answer.raw["dish"][0] == pytest.approx(answer.raw["dish"][1])
    assert max(answer.raw["dish"][0]) == pytest.approx(0.7 / 0.9)
    assert answer.mass == pytest.approx(0.9)
    assert (answer.tokens_in, answer.tokens_cached) == (6 * 500, 6 * 480)


@pytest.mark.parametrize("together", [True, False])
def test_json_gives_hard_labels(kitchen: LabelSet, together: bool) -> None:
    answer = asked(Stub(), lambda labeller: labeller(TURN), kitchen, "groq", style="json", together=together)
    assert answer.mass is None
    assert sorted(answer.raw["dish"][0]) == [0, 0, 1]
    assert sorted(answer.raw["allergens=milk"][0]) == [0, 1]


@pytest.mark.parametrize(
    ("fault", "reason", "style"),
    [
        ("429", "overload", "json"),
        ("503", "overload", "letter"),
        ("500", "server", "json"),
        ("timeout", "timeout", "json"),
        ("broken", "truncated", "json"),
        ("blank", "truncated", "json"),
        ("off-label", "off-label", "json"),
        ("drop", "connection", "json"),
        ("error-200", "bad-body", "letter"),
        ("not-json", "bad-body", "json"),
        ("nan", "bad-logprobs", "letter"),
    ],
)
@pytest.mark.parametrize("flat_errors", [False, True])
def test_every_failure_has_a_reason_and_no_words_of_the_child(
    kitchen: LabelSet, fault: str, reason: str, style: Any, flat_errors: bool
) -> None:
    stub = Stub(faults={fault: 1.0}, flat_errors=flat_errors)
    with pytest.raises(LlmError) as caught:
        asked(stub, lambda labeller: labeller(TURN), kitchen, "openai", style=style, timeout=0.3)
    error = caught.value
    assert (error.reason, error.fatal) == (reason, False)
    assert error.retry_after == (0.1 if fault in ("429", "503") else None)
    said = "".join([str(error), repr(error), *getattr(error, "__notes__", [])])
    assert TURN.utterance not in said
    assert error.__cause__ is None


def test_a_refusal_that_quotes_the_turn_is_not_passed_on(kitchen: LabelSet) -> None:
    import traceback

    async def do(labeller: Labeller) -> str:
        await probe(labeller)
        with pytest.raises(LlmError) as caught:
            await labeller(TURN)
        assert caught.value.reason == "rejected"
        return "".join(traceback.format_exception(caught.value))

    said = asked(Stub(faults={"400": 1.0}, grace=2), do, kitchen, "openai", style="json")
    assert TURN.utterance not in said
    assert "HTTP 400" in said
    with pytest.raises(LlmError, match="HTTP 400: the server rejects the request: injected"):
        asked(Stub(faults={"400": 1.0}), probe, kitchen, "openai", style="json")


def test_a_wrong_key_is_fatal(kitchen: LabelSet) -> None:
    with pytest.raises(LlmError, match="401") as caught:
        asked(Stub(key="secret"), lambda labeller: labeller(TURN), kitchen, "openai", key="wrong")
    assert caught.value.fatal
    assert asked(Stub(key="secret"), lambda labeller: labeller(TURN), kitchen, "openai", key="secret").mass


def test_a_server_that_is_not_there_is_named(kitchen: LabelSet) -> None:
    async def main() -> None:
        async with Labeller(kitchen, BACKENDS["vllm"], "", url="http://127.0.0.1:9/v1") as labeller:
            await probe(labeller)

    with pytest.raises(LlmError, match=r"http://127.0.0.1:9/v1: no connection.*is the server up"):
        asyncio.run(main())


def test_a_server_that_hangs_does_not_hang_the_probe(kitchen: LabelSet) -> None:
    with pytest.raises(LlmError, match="no answer within"):
        asked(Stub(faults={"timeout": 1.0}), probe, kitchen, "vllm", timeout=0.3)


@pytest.mark.parametrize("answer", ["[]", "{}", '{"data": [7]}', '"hello"', "null", "<html>", '{"data": null}'])
def test_a_server_of_another_kind_is_named(kitchen: LabelSet, answer: str) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\n\r\n{answer}".encode())
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Labeller(kitchen, BACKENDS["vllm"], "", url=url) as labeller:
            await probe(labeller)

    with pytest.raises(LlmError, match=r"http://127.0.0.1:\d+/v1: .*(protocol|not JSON)") as caught:
        asyncio.run(main())
    assert caught.value.fatal


def test_a_server_that_ignores_log_probabilities_is_found_out(kitchen: LabelSet) -> None:
    with pytest.raises(LlmError, match="ignores `logprobs`: use the style json"):
        asked(Stub(log_probabilities=False), probe, kitchen, "openai")


@pytest.mark.parametrize(("backend", "field"), [("groq", "response_format"), ("vllm", "structured_outputs")])
def test_a_server_that_ignores_constraints_is_found_out(kitchen: LabelSet, backend: str, field: str) -> None:
    findings = asked(Stub(constrained=False), probe, kitchen, backend, style="json")
    assert findings.constrained is False
    assert findings.warnings == [f"the server ignores `{field}`: answers are free text, each checked by itself"]
    assert asked(Stub(), probe, kitchen, "groq", style="json").constrained


def test_the_only_model_is_taken_and_an_unlisted_one_warned_of(kitchen: LabelSet) -> None:
    async def model(stub: Stub, name: str) -> Any:
        async with Labeller(kitchen, BACKENDS["vllm"], name, url=await stub.start()) as labeller:
            return await probe(labeller)

    assert asyncio.run(model(Stub(), "")).model == "stub"
    assert "lists no model 'other' (it has stub)" in asyncio.run(model(Stub(), "other")).warnings[0]
    with pytest.raises(LlmError, match="name a model; the server has a, b"):
        asyncio.run(model(Stub(models=("a", "b")), ""))


def test_a_backend_without_log_probabilities_says_what_to_do(kitchen: LabelSet) -> None:
    with pytest.raises(LlmError, match="groq gives no log-probabilities: use the style json"):
        Labeller(kitchen, BACKENDS["groq"], "m")


def test_what_is_asked_has_one_digest() -> None:
    labels = default_labels()
    variants: list[dict[str, Any]] = [{}, {"shots": 3}, {"style": "json"}, {"order_count": 1}, {"body": {"seed": 1}}]
    digests = [Labeller(labels, BACKENDS["vllm"], "m", **options).prompt_sha256 for options in variants]
    assert len(set(digests)) == len(digests)
    assert Labeller(labels, BACKENDS["llamacpp"], "other").prompt_sha256 == digests[0]
