"""What each LLM server understands; facts and sources stand in docs/teachers.md."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tinyclf.labelset import Head, LabelSet
from tinyclf.llm.constraint import grammar, longest, pattern, schema

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """How to talk to one kind of server.

    ``top`` is the most ``top_logprobs`` it takes, 0 where it gives no log-probabilities. ``by_id`` says that it takes
    ``logprob_token_ids``. ``tokenize`` and ``version`` are routes from its root, the second with the key to read.
    ``thinking`` is how many tokens an answer may need besides itself, for models that reason first.
    """

    name: str
    url: str
    key_variable: str = ""
    top: int = 20
    by_id: bool = False
    tokenize: str = ""
    version: tuple[str, str] | None = None
    constraint: Literal["structured_outputs", "grammar", "regex", "json_schema"] = "json_schema"
    max_tokens: str = "max_completion_tokens"
    thinking: int = 0

    def one_token(self, letters: int, token_ids: Collection[int] = ()) -> Fields:
        """Request fields for one token with the log-probabilities of the letters."""
        fields: Fields = {"temperature": 0, self.max_tokens: 1, "logprobs": True}
        if self.by_id and token_ids:  # ids as names, because "A" and " A" may be printed alike
            return {**fields, "logprob_token_ids": sorted(token_ids), "return_tokens_as_token_ids": True}
        # Each letter may come in two or three spellings, and other tokens may stand between them.
        return {**fields, "top_logprobs": min(self.top, 4 * letters + 10)}

    def one_line(self, labels: LabelSet, heads: Sequence[Head]) -> Fields:
        """Request fields for one line of JSON with a class for each head, and no more tokens than it can need."""
        fields: Fields = {"temperature": 0, self.max_tokens: longest(heads) // 2 + 16 + self.thinking}
        if self.constraint == "structured_outputs":
            return {**fields, "structured_outputs": {"regex": pattern(labels, heads)}}
        if self.constraint == "grammar":
            return {**fields, "grammar": grammar(labels, heads)}
        if self.constraint == "regex":
            return {**fields, "response_format": {"type": "regex", "regex": pattern(labels, heads)}}
        return {**fields, "response_format": {"type": "json_schema", "json_schema": schema(heads)}}


BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            "vllm", "http://127.0.0.1:8000/v1", by_id=True, tokenize="/tokenize", version=("/version", "version"),
            constraint="structured_outputs",
        ),
        Backend("trtllm", "http://127.0.0.1:8000/v1", version=("/version", "version"), constraint="regex"),
        Backend("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", top=0, thinking=1024),
        Backend(
            "llamacpp", "http://127.0.0.1:8080/v1", top=200, tokenize="/tokenize", version=("/props", "build_info"),
            constraint="grammar", max_tokens="max_tokens",
        ),
        Backend("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", thinking=1024),
    )
}  # fmt: skip
