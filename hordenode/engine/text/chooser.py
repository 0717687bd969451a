"""Chooses the next token of many texts with the usual settings at once (choice_graph.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.tensors import Array
from hordenode.engine.text import choice_graph as graph
from hordenode.engine.text.draft import Draft
from hordenode.engine.text.shortlist import Highest

LEAST = 1e-300  # of a nucleus: the likeliest token is in it


class Chooser:
    """For texts whose drafts are `plain`. What it reads and writes stays where it is as long as the texts are the same."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._session: Session | None = None
        self._table: _Table | None = None

    def choose(self, drafts: Sequence[Draft], highest: Highest, width: int) -> list[int | None]:
        """The next token of each text, as `sampling.pick`; None where these candidates [texts, few] are not enough for it.

        `width`: the size of the vocabulary.
        """
        if self._session is None:
            self._session = self._runtime.aside(graph.choice(), "the choice of tokens")
        few = highest.tokens.shape[1]
        if self._table is None or not self._table.is_for(drafts, few, width):
            self._table = _Table(self._session, drafts, few, width)
        return self._table.choose(highest)


class _Table:
    """Memory of the graph for some texts, of each of which `few` candidates are known."""

    def __init__(self, session: Session, drafts: Sequence[Draft], few: int, width: int) -> None:
        self._drafts = list(drafts)
        self._size = few, width
        rows, jobs = len(drafts), [draft.job for draft in drafts]
        self._logits, self._tokens = np.empty((rows, few), np.float32), np.empty((rows, few), np.int64)
        self._seen, self._points = np.empty((rows, width), np.bool_), np.empty((rows, 1))
        self._chosen, self._enough = np.empty((rows, 1), np.int64), np.empty((rows, 1), np.bool_)
        for draft, row in zip(drafts, self._seen, strict=True):
            draft.history.settle(row)
        self._fed: dict[str, Array] = {
            graph.LOGITS: self._logits,
            graph.TOKENS: self._tokens,
            graph.FEW: np.array([few]),
            graph.SEEN: self._seen,
            graph.POINT: self._points,
            graph.STRENGTH: _column([draft.strength or 1.0 for draft in drafts]),
            graph.LAST: np.array([[job.top_k - 1] for job in jobs]),
            graph.SHARE: _column([max(job.top_p, LEAST) for job in jobs]),
            graph.SHARPNESS: _column([1 / job.temperature for job in jobs]),
        }
        self._binding = session.bind(graph.CHOSEN)
        for name, memory in self._fed.items():
            self._binding.feed(name, memory)
        self._binding.land(graph.CHOSEN, self._chosen)
        self._binding.land(graph.ENOUGH, self._enough)

    def is_for(self, drafts: Sequence[Draft], few: int, width: int) -> bool:
        same = len(drafts) == len(self._drafts) and self._size == (few, width)
        return same and all(one is other for one, other in zip(drafts, self._drafts, strict=True))

    def choose(self, highest: Highest) -> list[int | None]:
        points = []
        for draft in self._drafts:
            draft.history.seen(self._size[1])
            points.append(draft.throw())
        self._logits[:], self._tokens[:] = highest
        self._points[:, 0] = points
        self._binding.step()
        chosen: list[int | None] = self._chosen[:, 0].tolist()
        for row, is_enough in enumerate(self._enough[:, 0].tolist()):
            if not is_enough:
                chosen[row] = None
                self._drafts[row].put_back(points[row])
        return chosen


def _column(values: list[float]) -> Array:
    return np.array(values, np.float64)[:, None]
