"""The tokens of a text as an array that grows with them: penalties look back over it at each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM = 256


class History:
    """Follows a list that only grows at its end."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self._ids = np.empty(0, np.int64)
        self._count = 0
        self._places: dict[int, int] = {}  # of each token among the distinct ones
        self._distinct = np.empty(0, np.int64)
        self._where = np.empty(0, np.int64)

    def ids(self) -> NDArray[np.int64]:
        """All tokens so far; the array is not to be changed."""
        count, held = len(self._tokens), self._count
        if count > len(self._ids):
            grown = np.empty(2 * count + ROOM, np.int64)
            grown[:held] = self._ids[:held]
            self._ids = grown
        self._ids[held:count] = self._tokens[held:]
        self._count = count
        return self._ids[:count]

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each token once, and for all tokens so far at which place of those it stands."""
        count, held = len(self._tokens), len(self._where)
        if held < count:
            places = self._places
            fresh = [places.setdefault(token, len(places)) for token in self._tokens[held:]]
            self._where = np.append(self._where, fresh)
            if len(places) > len(self._distinct):
                self._distinct = np.fromiter(places, np.int64, len(places))
        return self._distinct, self._where
