"""Gold rows, and which of them are held out."""

from collections.abc import Iterable
from dataclasses import dataclass

from distill.source import Item
from tinyclf.errors import DataError
from tinyclf.files import sha256


@dataclass(frozen=True, slots=True)
class Split:
    """Gold rows to learn from and gold rows to judge by; no family and no turn is in both.

    ``without_gold``: how many rows have no gold label and are in neither.
    """

    train: list[Item]
    held_out: list[Item]
    without_gold: int


def split(items: Iterable[Item], share: float, seed: int) -> Split:
    """Hold out whole families until they make up ``share`` of the gold rows, in an order that ``seed`` fixes.

    A row without a family is a family of its own. ``DataError`` when the gold rows are of fewer than two families.
    """
    rows = list(items)
    gold = [item for item in rows if item.gold]
    families: dict[str, list[Item]] = {}
    for item in gold:
        families.setdefault(item.kept.get("family", item.key), []).append(item)
    if len(families) < 2:
        raise DataError(
            f"{len(gold)} rows with gold labels, of {len(families)} families: at least two families are needed, "
            "one to learn from and one to judge by; a row's gold label is in the column HEAD_gold or HEAD"
        )
    held_out: list[Item] = []
    train: list[Item] = []
    for name in sorted(families, key=lambda name: sha256(f"{seed}/{name}".encode())):
        wanted = not held_out or (len(held_out) < share * len(gold))
        (held_out if wanted else train).extend(families[name])
    judged = {item.key for item in held_out}
    train = [item for item in train if item.key not in judged]
    if not train:
        raise DataError("every gold row is held out: give a smaller --held-out, or rows of more families")
    return Split(train, held_out, len(rows) - len(gold))
