"""What each LLM server understands; facts and sources stand in docs/teachers.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tinyclf.labelset import Head, LabelSet
from tinyclf.llm.constraint import grammar, longest, pattern, schema

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """How to talk to one kind of server.

    ``top`` is the most ``top_logprobs`` it takes, 0 where it gives no log-probabilities. ``label_logprobs`` names the
    field that asks for those of given tokens. ``tokenize`` is the server's tokenizer route, from its root.
    """

    name: str
    url: str
    key_variable: str = ""
    top: int = 20
    label_logprobs: str = ""
    tokenize: str = ""
    constraint: Literal["structured_outputs", "grammar", "json_schema"] = "json_schema"
    max_tokens: str = "max_tokens"

    def one_token(self, letters: int, token_ids: Sequence[int] = ()) -> Fields:
        """Request fields for one token with the log-probabilities of the letters."""
        fields: Fields = {"temperature": 0, self.max_tokens: 1, "logprobs": True}
        if self.label_logprobs and token_ids:
            return {**fields, self.label_logprobs: list(token_ids)}
        # Each letter may come in two or three spellings, and other tokens may stand between them.
        return {**fields, "top_logprobs": min(self.top, 4 * letters + 10)}

    def one_line(self, labels: LabelSet, heads: Sequence[Head]) -> Fields:
        """Request fields for one line of JSON with a class for each head, and no more tokens than it can need."""
        fields: Fields = {"temperature": 0, self.max_tokens: longest(heads) // 2 + 16}
        if self.constraint == "structured_outputs":
            return {**fields, "structured_outputs": {"regex": pattern(labels, heads)}}
        if self.constraint == "grammar":
            return {**fields, "grammar": grammar(labels, heads)}
        return {**fields, "response_format": {"type": "json_schema", "json_schema": schema(heads)}}


BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            "vllm", "http://127.0.0.1:8000/v1", label_logprobs="logprob_token_ids", tokenize="/tokenize",
            constraint="structured_outputs", max_tokens="max_completion_tokens",
        ),
        Backend("trtllm", "http://127.0.0.1:8000/v1", max_tokens="max_completion_tokens"),
        Backend("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", top=0, max_tokens="max_completion_tokens"),
        Backend("llamacpp", "http://127.0.0.1:8080/v1", top=200, tokenize="/tokenize", constraint="grammar"),
        Backend("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", max_tokens="max_completion_tokens"),
    )
}  # fmt: skip
