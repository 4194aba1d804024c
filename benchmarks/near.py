"""How alike turns are: each turn's nearest neighbour, by the letters that they share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

from tinyclf.calibration import Floats
from training.augment import without_diacritics
from training.rows import Row

ALIKE = (0.9, 0.8, 0.7)
"""Cosines of TF-IDF vectors of letter 3- to 5-grams; at 0.9 two turns differ in a word or less."""
CHUNK = 512


class Nearness:
    """Measures rows against rows; made from all rows that will be compared, so that rare letters weigh the same."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
        self._vectors.fit([_text(row) for row in rows])

    def nearest(self, rows: Sequence[Row], known: Sequence[Row]) -> Floats:
        """For each of ``rows`` the cosine of its nearest in ``known``; a row that stands in both is no neighbour."""
        one, other = self._matrix(rows), self._matrix(known).T.tocsc()
        place = {row.id: i for i, row in enumerate(known)}
        found = []
        for at in range(0, len(rows), CHUNK):
            cosines = (one[at : at + CHUNK] @ other).toarray()
            for i, row in enumerate(rows[at : at + CHUNK]):
                if row.id in place:
                    cosines[i, place[row.id]] = 0
            found.append(cosines.max(1))
        return np.concatenate(found)

    def distinct(self, rows: Sequence[Row], alike: float = ALIKE[0]) -> int:
        """How many groups are left when turns that are this much alike, or linked by such, count once."""
        matrix = self._matrix(rows)
        other = matrix.T.tocsc()
        pairs: list[tuple[int, int]] = []
        for at in range(0, len(rows), CHUNK):
            left, right = np.nonzero((matrix[at : at + CHUNK] @ other).toarray() >= alike)
            pairs += zip((left + at).tolist(), right.tolist(), strict=True)
        one, two = np.array(pairs).T
        graph = coo_matrix((np.ones(len(one)), (one, two)), shape=(len(rows), len(rows)))
        return int(connected_components(graph, directed=False)[0])

    def _matrix(self, rows: Sequence[Row]) -> Any:
        return self._vectors.transform([_text(row) for row in rows])


def shares(nearest: Floats) -> dict[str, float]:
    """The median of the cosines, and the share of rows at least so much alike."""
    return {"n": len(nearest), "median": float(np.median(nearest))} | {
        f"{alike:g}": float((nearest >= alike).mean()) for alike in ALIKE
    }


def _text(row: Row) -> str:
    """The whole turn without case and diacritics."""
    return without_diacritics(" | ".join((row.turn.previous, row.turn.utterance, row.turn.reply)).casefold())
