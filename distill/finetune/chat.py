"""The model's chat format: from a call's messages to token ids, as the server makes them."""

from collections.abc import Sequence
from typing import Any

from distill.finetune.examples import Example
from tinyclf.errors import DataError
from tinyclf.llm.answer import spelled
from tinyclf.llm.probe import SPELLINGS
from tinyclf.llm.question import LETTERS

MARK = "zqx7"
"""A word that no chat template contains."""
IGNORED = -100
"""The label of a token that is no part of the loss."""

FOLD = (
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set messages = [{'role': 'user', 'content': messages[0]['content'] + '\\n\\n' + messages[1]['content']}]"
    " + messages[2:] -%}{%- endif -%}"
)
"""Goes before a template without a system role: the system message becomes the beginning of the user's."""


class Chat:
    """A tokenizer with its chat template.

    ``letters``: for each letter the ids that spell it, with and without a space before it. ``folded``: the template
    knows no system role, so it was given ``FOLD``; saved with the model, it lets a server take the same messages.
    ``DataError`` when there is no template, or a letter is no token.
    """

    def __init__(self, tokenizer: Any, letters: int) -> None:
        if not tokenizer.chat_template:
            raise DataError("the model has no chat template: take one that was trained to chat (an instruct model)")
        self.tokenizer = tokenizer
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.folded = not self._knows_system()
        if self.folded:
            tokenizer.chat_template = FOLD + tokenizer.get_chat_template()
        self.letters = [self._spellings(letter) for letter in LETTERS[:letters]]
        answered = self._render([*_said("", ""), {"role": "assistant", "content": MARK}], asks=False)
        self._end = answered.partition(MARK)[2]
        added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._special = {*added, *tokenizer.all_special_ids}

    def prompt(self, system: str, user: str) -> list[int]:
        """The ids up to where the answer begins."""
        return self._ids(self._render(_said(system, user)))

    def taught(self, example: Example) -> tuple[list[int], list[int]]:
        """Ids of prompt, letter and end of turn, and the same as labels with ``IGNORED`` for the prompt."""
        text = self._render(_said(example.system, example.user))
        prompt, ids = self._ids(text), self._ids(text + example.letter + self._end)
        answer = ids[len(prompt) :]
        if ids[: len(prompt)] != prompt or answer[0] not in self.letters[LETTERS.index(example.letter)]:
            raise DataError("a letter is not one token after this model's chat prompt: it cannot be taught letters")
        ends = next((i for i, token in enumerate(answer) if token in self._special), len(answer) - 1)
        answer = answer[: ends + 1]  # what a template writes after the end of a turn, a server never waits for
        return prompt + answer, [IGNORED] * len(prompt) + answer

    def _knows_system(self) -> bool:
        try:
            return MARK in self._render(_said(MARK, ""))
        except Exception:  # templates refuse a role by an error of their own making
            return False

    def _render(self, messages: Sequence[dict[str, str]], *, asks: bool = True) -> str:
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _spellings(self, letter: str) -> list[int]:
        ends = {self._ids(form.format(letter))[-1] for form in SPELLINGS}
        found = sorted(i for i in ends if spelled(self.tokenizer.convert_ids_to_tokens(i)) == letter)
        if not found:
            raise DataError(f"the letter {letter} is not one token for this model: it cannot be taught letters")
        return found


def _said(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]
