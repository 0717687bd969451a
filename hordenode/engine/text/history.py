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
        self._followed = 0
        self._seen: set[int] = set()
        self._distinct = _Growing()
        self._ids = _Growing()
        self._places: dict[int, int] = {}  # of each token among the distinct ones
        self._where = _Growing()

    def distinct(self) -> Ids:
        """Each token once, in the order in which they came; the array is not to be changed, and neither are the others."""
        seen, fresh = self._seen, self._tokens[self._followed :]
        self._followed += len(fresh)
        new = [token for token in dict.fromkeys(fresh) if token not in seen]
        if new:
            seen.update(new)
            self._distinct.extend(new)
        return self._distinct.view()

    def ids(self) -> Ids:
        """All tokens so far."""
        self._ids.extend(self._tokens[self._ids.count :])
        return self._ids.view()

    def where(self) -> Ids:
        """For all tokens so far, at which place of the distinct ones they stand."""
        places = self._places
        for token in self.distinct()[len(places) :].tolist():
            places[token] = len(places)
        self._where.extend([places[token] for token in self._tokens[self._where.count :]])
        return self._where.view()


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
