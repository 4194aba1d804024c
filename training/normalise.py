"""Write the normalisation rules that are compiled into ``tokenizer.model``.

SentencePiece applies the rules inside ``encode``, in C++, so that training, the runtime and any other host of the
tokenizer normalise alike, and for almost no time. The rule file maps code point sequences to code point sequences,
the longest match first (SentencePiece, ``doc/normalization.md``).
"""

import itertools
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

# Recognisers stretch and typists hold keys: three to twelve of a letter in a row become two.
LONGEST_RUN = 12
STRETCHED = "abcdefghijklmnopqrstuvwxyzáàảãạâấầẩẫậăắằẳẵặéèẻẽẹêếềểễệíìỉĩịóòỏõọôốồổỗộơớờởỡợúùủũụưứừửữựýỳỷỹỵ"

# The tone of oa, oe and uy is written on either vowel ("hoà" or "hòa"); both become the first form.
TONE_PLACES = {"òa": "oà", "óa": "oá", "ỏa": "oả", "õa": "oã", "ọa": "oạ", "òe": "oè", "óe": "oé", "ỏe": "oẻ",
               "õe": "oẽ", "ọe": "oẹ", "ùy": "uỳ", "úy": "uý", "ủy": "uỷ", "ũy": "uỹ", "ụy": "uỵ"}  # fmt: skip

LATIN = [chr(c) for c in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)) if unicodedata.decomposition(chr(c))]


def write_rules(path: Path) -> None:
    """Write the rule file for ``normalization_rule_tsv``: source code points, a tab, target code points, in hex."""
    rules = {**dict(_single()), **dict(_composed()), **dict(_stretched()), **dict(_tone_places())}
    with path.open("w", encoding="ascii") as file:
        for source, target in sorted(rules.items()):
            file.write(f"{_hex(source)}\t{_hex(target)}\n")


def fold(char: str) -> str:
    """One character as the student sees it: NFKC and lower case; punctuation is a space, invisible is nothing."""
    category = unicodedata.category(char)
    if char in "\t\n\r\x0b\x0c\x85" or category.startswith("Z"):
        return " "
    if char in "'’ʼ`´" or category in ("Cc", "Cf") or "\ufe00" <= char <= "\ufe0f":
        return ""
    if category.startswith("P"):
        return " "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).lower())
    return folded if len(folded) == 1 else "".join(fold(part) if part != char else part for part in folded)


def _single() -> Iterator[tuple[str, str]]:
    for code in range(1, sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in ("Cs", "Cn", "Co"):
            continue
        if (folded := fold(char)) != char:
            yield char, folded


def _composed() -> Iterator[tuple[str, str]]:
    """Every way to write an accented letter with combining marks, in any order, whole or in part."""
    for letter in LATIN:
        base, *marks = list(unicodedata.normalize("NFD", letter))
        for order in itertools.permutations(marks):
            if unicodedata.normalize("NFC", base + "".join(order)) != letter:
                continue
            for whole in range(len(order)):
                head = unicodedata.normalize("NFC", base + "".join(order[:whole]))
                yield head + "".join(order[whole:]), fold(letter)


def _stretched() -> Iterator[tuple[str, str]]:
    for letter in STRETCHED:
        for variant in {letter, letter.upper()}:
            for length in range(3, LONGEST_RUN + 1):
                yield variant * length, letter * 2


def _tone_places() -> Iterator[tuple[str, str]]:
    for source, target in TONE_PLACES.items():
        for variant in {source, source.upper(), source.capitalize()}:
            yield variant, target


def _hex(text: str) -> str:
    return " ".join(f"{ord(char):X}" for char in text)
