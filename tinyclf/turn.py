"""A turn: what the child said, and what the robot said around it."""

from dataclasses import dataclass

from tinyclf.errors import InputError


@dataclass(frozen=True, slots=True)
class Turn:
    """One child utterance with, where known, the robot's turn before it and the robot's answer to it."""

    utterance: str
    previous: str = ""
    reply: str = ""


SEGMENTS = ("utterance", "previous", "reply")
"""The named segments of a turn, in the order in which the tokenizer's id blocks are laid out."""


def check_types(utterance: object, previous: object, reply: object) -> None:
    """Raise ``InputError`` naming the first segment that is no ``str``; its content is never shown."""
    for name, value in zip(SEGMENTS, (utterance, previous, reply), strict=True):
        if not isinstance(value, str):
            raise InputError(f"{name} must be str, got {type(value).__name__}")


def encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, as question marks."""
    return text.encode("utf-8", "replace").decode()
