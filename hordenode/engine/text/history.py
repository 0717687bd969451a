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
