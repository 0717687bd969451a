"""The tokens of a text as arrays that grow with them: penalties look back over it at each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM = 256

Ids = NDArray[np.int64]


class History:
    """Follows a list that only grows at its end. What it returns is not to be changed."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self._ids = np.empty(ROOM, np.int64)
        self._count = 0
        self._seen = np.zeros(0, np.bool_)
        self._marked = 0

    def ids(self) -> Ids:
        """All tokens so far."""
        fresh = self._tokens[self._count :]
        start, self._count = self._count, self._count + len(fresh)
        if self._count > len(self._ids):
            self._ids = np.concatenate((self._ids[:start], np.empty(2 * self._count - start, np.int64)))
        self._ids[start : self._count] = fresh
        return self._ids[: self._count]

    def seen(self, width: int) -> NDArray[np.bool_]:
        """Of each token of a vocabulary [width], whether it was there."""
        if len(self._seen) != width:
            self._seen, self._marked = np.zeros(width, np.bool_), 0
        for token in self._tokens[self._marked :]:
            self._seen[token] = True
        self._marked = len(self._tokens)
        return self._seen

    def settle(self, memory: NDArray[np.bool_]) -> None:
        """Keep what `seen` returns here from now on, beside that of other texts."""
        memory[:] = self.seen(len(memory))
        self._seen = memory

    def where(self, columns: Ids) -> Ids:
        """For all tokens so far, which of some rising columns they are; -1: none."""
        ids = self.ids()
        at = np.minimum(columns.searchsorted(ids), len(columns) - 1)
        return np.where(columns[at] == ids, at, -1)
