"""Turns that are the same but for how they are written."""

from tinyclf import Turn
from training.augment import without_diacritics


def plain_turn(turn: Turn) -> str:
    """A turn without case, diacritics and punctuation; as it is where nothing would be left of the utterance."""
    texts = (turn.previous, turn.utterance, turn.reply)
    plain = ["".join(c for c in without_diacritics(t.casefold()) if c.isalnum()) for t in texts]
    return "|".join(plain if plain[1] else texts)
