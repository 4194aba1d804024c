"""The students that the frontier compares: the shipped one, and others that differ from it in one thing or two."""

from collections.abc import Mapping
from dataclasses import replace

from training.settings import SHIPPED, Settings

BASE = replace(SHIPPED, members=1)
"""One member of the shipped student: what most of the others differ from."""

NO_LEXICON = "no lexicon"
"""The student that is not told which words mean alike."""
STUDENTS: Mapping[str, Settings] = {
    "shipped: 4 members": SHIPPED,
    "2 members": replace(SHIPPED, members=2),
    "1 member": BASE,
    "mlp": replace(BASE, architecture="mlp"),
    "8 filters": replace(BASE, filters=8),
    "128 filters": replace(BASE, filters=128),
    "width 2": replace(BASE, width=2),
    "vocabulary 3000": replace(BASE, vocabulary=3000),
    "40,000 buckets": replace(BASE, buckets=40_000),
    "letters": replace(BASE, letters=True),
    NO_LEXICON: BASE,
    "batch 64": replace(BASE, schedule=replace(BASE.schedule, batch=64)),
    "dropout 0.35": replace(BASE, dropout=0.35),
    "wide dropout 0": replace(BASE, wide_dropout=0.0),
}
