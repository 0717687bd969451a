"""The tokens of a text as arrays that grow with them: penalties look back over it at each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM = 256

Ids = NDArray[np.int64]


class History:
    """Follows a list that only grows at its end."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self._ids = _Growing()
        self._places: dict[int, int] = {}  # of each token among the distinct ones
        self._distinct = _Growing()
        self._where = _Growing()

    def ids(self) -> Ids:
        """All tokens so far; the array is not to be changed."""
        self._ids.extend(self._tokens[self._ids.count :])
        return self._ids.view()

    def distinct(self) -> tuple[Ids, Ids]:
        """Each token once, and for all tokens so far at which place of those it stands."""
        fresh, places = self._tokens[self._where.count :], self._places
        self._where.extend([places.setdefault(token, len(places)) for token in fresh])
        if self._distinct.count < len(places):
            self._distinct.extend([token for token in dict.fromkeys(fresh) if places[token] >= self._distinct.count])
        return self._distinct.view(), self._where.view()


class _Growing:
    """An array that is appended to."""

    def __init__(self) -> None:
        self._values = np.empty(ROOM, np.int64)
        self.count = 0

    def extend(self, values: list[int]) -> None:
        start, stop = self.count, self.count + len(values)
        if stop > len(self._values):
            grown = np.empty(2 * stop, np.int64)
            grown[:start] = self._values[:start]
            self._values = grown
        self._values[start:stop] = values
        self.count = stop

    def view(self) -> Ids:
        return self._values[: self.count]
