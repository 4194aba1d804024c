"""Ask a server once what it honours, because many take a request, ignore half of it and answer all the same."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyclf.errors import LlmError
from tinyclf.labelset import Head, LabelClass, LabelSet
from tinyclf.llm.answer import BY_ID, read_json, read_letter, spelled
from tinyclf.llm.labeller import Labeller
from tinyclf.llm.question import LETTERS
from tinyclf.turn import Turn

SPELLINGS = ("{}", " {}", "({}")
"""Texts that bring out every token by which a letter may begin an answer: with and without a space before it."""
LITTLE = 0.05
NEUTRAL = Turn("hello")
UNLIKELY = LabelSet("probe", (Head("probe", "one-of", (LabelClass("zqx7"), LabelClass("zqx8")), "zqx7"),))
"""Words that no model says of its own accord, to see whether it can be made to."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a server is and what it honours.

    ``mass``: how much probability the letters got on a neutral turn. ``prompt_tokens``: the length of one prompt.
    """

    server: str
    model: str
    style: str
    prompt_tokens: int = 0
    log_probabilities: str = "not asked"
    mass: float | None = None
    constrained: bool | None = None
    warnings: Sequence[str] = field(default=())


async def probe(labeller: Labeller) -> Findings:
    """Find out what the labeller's server honours; ``LlmError`` (fatal) names what it needs and the server lacks."""
    url, labeller.transport.quote = labeller.transport.url, True
    try:
        async with asyncio.timeout(labeller.timeout):
            return await _probed(labeller)
    except LlmError as error:
        raise LlmError(error.reason, f"{url}: {error}", fatal=True) from None
    except TimeoutError:
        raise LlmError("timeout", f"{url}: no answer within {labeller.timeout:g} s", fatal=True) from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise LlmError("bad-body", f"{url}: it does not speak the OpenAI protocol ({error!r})", fatal=True) from None
    finally:
        labeller.transport.quote = False


async def _probed(labeller: Labeller) -> Findings:
    server, model, warnings = await _identity(labeller)
    labeller.model, labeller.server = model, server
    if labeller.style == "json":
        constrained, length, more = await _constrained(labeller)
        return Findings(server, model, "json", length, constrained=constrained, warnings=[*warnings, *more])
    labeller.token_ids, more = await _letter_tokens(labeller)
    listed, mass, length, also = await _log_probabilities(labeller)
    return Findings(server, model, "letter", length, listed, mass, warnings=[*warnings, *more, *also])


async def _identity(labeller: Labeller) -> tuple[str, str, list[str]]:
    """Server and version, and the model: the one asked for, or the only one there is."""
    transport, warnings = labeller.transport, []
    found = await transport.call("get", "/models")
    models = [str(entry["id"]) for entry in found["data"]]
    model = labeller.model or (models[0] if len(models) == 1 else "")
    if not model:
        raise LlmError("refused", f"name a model; the server has {', '.join(models) or 'none'}")
    if models and model not in models:
        warnings.append(f"the server lists no model {model!r} (it has {', '.join(models)}); it may serve another")
    server, version = labeller.backend.name, labeller.backend.version
    if version:
        with contextlib.suppress(LlmError, KeyError, TypeError):  # an older server without the route
            server += f" {(await transport.call('get', transport.root + version[0]))[version[1]]}"
    return server, model, warnings


async def _letter_tokens(labeller: Labeller) -> tuple[dict[int, str], list[str]]:
    """Which token ids spell which letter, where the server has a tokenizer route that shows the pieces."""
    if not labeller.backend.tokenize:
        return {}, ["the server has no tokenizer route: that each letter is one token was not checked"]
    ids: dict[int, str] = {}
    for letter in LETTERS[: labeller.most_options]:
        ends = [await _last_token(labeller, form.format(letter)) for form in SPELLINGS]
        found = {token: letter for token, piece in ends if spelled(piece) == letter}
        if not found:
            raise LlmError("letters", f"the letter {letter} is not one token for this model: use the style json")
        ids |= found
    return ids, []


async def _last_token(labeller: Labeller, text: str) -> tuple[int, str]:
    """Id and piece of a text's last token; vLLM and llama.cpp each read their own fields of the request."""
    ask = {"prompt": text, "add_special_tokens": False, "return_token_strs": True}
    body = {"model": labeller.model, **ask, "content": text, "with_pieces": True}
    found = await labeller.transport.call("post", labeller.transport.root + labeller.backend.tokenize, body)
    last = found["tokens"][-1]
    return (last["id"], str(last["piece"])) if isinstance(last, dict) else (last, str(found["token_strs"][-1]))


async def _log_probabilities(labeller: Labeller) -> tuple[str, float, int, list[str]]:
    """Whether the letters come with log-probabilities, and how much the model is at home with letters."""
    _, order, system = labeller.letters[0]
    reply = await labeller.ask(system, NEUTRAL, labeller.backend.one_token(len(order), labeller.token_ids))
    try:
        _, mass = read_letter(reply.logprobs, order, labeller.token_ids)
    except LlmError as error:
        if error.reason != "no-logprobs":
            raise
        raise LlmError(
            "no-logprobs", "the server ignores `logprobs`: use the style json, or a server that gives them"
        ) from None
    listed = reply.logprobs["content"][0]["top_logprobs"]
    by_id = all(entry["token"].startswith(BY_ID) for entry in listed)
    warnings = []
    if labeller.backend.by_id and not by_id:
        warnings.append("the server ignores `logprob_token_ids`: an older version, or another server?")
    if mass < LITTLE:
        warnings.append(f"the letters have only {mass:.1%} of the probability: this model hardly answers by letter")
    return "of every letter" if by_id else f"of the first {len(listed)}", mass, reply.tokens_in, warnings


async def _constrained(labeller: Labeller) -> tuple[bool, int, list[str]]:
    """Whether the server can make the model say what it would not, and the length of a real prompt."""
    fields = labeller.backend.one_line(UNLIKELY, UNLIKELY.heads)
    reply = await labeller.ask("Say hello.", NEUTRAL, fields)
    _, system, real = labeller.lines[0]
    tokens = (await labeller.ask(system, NEUTRAL, real)).tokens_in
    try:
        read_json(reply.content, UNLIKELY.heads, cut=reply.cut)
    except LlmError:
        ignored = next(name for name in fields if name in ("structured_outputs", "grammar", "response_format"))
        return False, tokens, [f"the server ignores `{ignored}`: answers are free text, each checked by itself"]
    return True, tokens, []
