"""The hint: what the label set tells the LLM that writes the robot's answer about the mood to write in."""

from collections.abc import Mapping

from tinyclf.labelset import Labels, LabelSet

FALLBACK = "en"


def hint(labels: LabelSet, decision_labels: Labels, language: str = "vi") -> str:
    """The hints of the chosen classes of all heads, joined by a space; empty where the label set has none.

    ``language`` is a language tag (BCP 47). A class without a hint in it gives the one in the more general language
    (``vi`` for ``vi-VN``), otherwise the English one, otherwise none.

    >>> clf = Classifier.load()
    >>> hint(clf.labels, clf("con làm được rồi").labels, "en")
    """
    said = (_in_language(cls.hint, language) for cls in labels.chosen(decision_labels))
    return " ".join(text for text in said if text)


def _in_language(hints: Mapping[str, str], language: str) -> str:
    """Lookup as in RFC 4647, 3.4: the tag is shortened from its end until a hint is found."""
    known = {tag.lower(): text for tag, text in hints.items()}
    parts = language.lower().replace("_", "-").split("-")
    tags = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((known[tag] for tag in (*tags, FALLBACK) if tag in known), "")
