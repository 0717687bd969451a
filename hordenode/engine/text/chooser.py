"""Chooses the next token of many texts at once where their settings are usual ones (choice_graph.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.tensors import Array
from hordenode.engine.text import choice_graph as graph
from hordenode.engine.text import samplers
from hordenode.engine.text.draft import Draft
from hordenode.engine.text.shortlist import Highest

LEAST = 1e-300  # of a nucleus: the likeliest token is in it


class Chooser:
    """What it reads and writes stays where it is from step to step, as long as the texts are the same."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._opened: dict[str, Session] = {}
        self._tables: dict[
            int, _Table
        ] = {}  # by how many candidates their texts want: in one step there may be several
        self._dice: _Dice | None = None

    def choose(self, drafts: Sequence[Draft], highest: Highest, width: int) -> list[int | None]:
        """The next token of texts that are `plain`; None where these candidates [texts, few] are not enough for it.

        `width`: the size of the vocabulary.
        """
        few = highest.tokens.shape[1]
        table = self._tables.get(few)
        if table is None or not _are(drafts, table.drafts):
            table = self._tables[few] = _Table(self._session("choice", graph.choice), drafts, few, width)
        return table.choose(highest)

    def draw(self, drafts: Sequence[Draft], logits: Array) -> list[int]:
        """The next token of texts that are `open`, of all logits [texts, vocabulary] in whole spans."""
        if any(draft.banned for draft in drafts):
            logits = logits.copy()
            for row, draft in zip(logits, drafts, strict=True):
                row[list(draft.banned)] = -np.inf
        if self._dice is None or not _are(drafts, self._dice.drafts):
            self._dice = _Dice(self._session("draw", graph.open_draw), drafts)
        return self._dice.draw(logits)

    def _session(self, name: str, make: Callable[[], bytes]) -> Session:
        if name not in self._opened:
            self._opened[name] = self._runtime.aside(make(), f"the {name} of tokens")
        return self._opened[name]


def _are(drafts: Sequence[Draft], others: Sequence[Draft]) -> bool:
    """Whether they are the same ones."""
    return len(drafts) == len(others) and all(one is other for one, other in zip(drafts, others, strict=True))


class _Table:
    """Memory of the graph for some texts, of each of which `few` candidates are known."""

    def __init__(self, session: Session, drafts: Sequence[Draft], few: int, width: int) -> None:
        self.drafts = list(drafts)
        self._width = width
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

    def choose(self, highest: Highest) -> list[int | None]:
        points = []
        for draft in self.drafts:
            draft.history.seen(self._width)
            points.append(draft.throw())
        self._logits[:], self._tokens[:] = highest
        self._points[:, 0] = points
        self._binding.step()
        chosen: list[int | None] = self._chosen[:, 0].tolist()
        for row, is_enough in enumerate(self._enough[:, 0].tolist()):
            if not is_enough:
                chosen[row] = None
                self.drafts[row].put_back(points[row])
        return chosen


class _Dice:
    """Memory of the graph that draws from all tokens, for some texts."""

    def __init__(self, session: Session, drafts: Sequence[Draft]) -> None:
        self.drafts = list(drafts)
        coldest = (max(draft.job.temperature, samplers.COLDEST) for draft in drafts)
        self._sharpness = _column([1 / temperature for temperature in coldest]).astype(np.float32)
        self._points, self._chosen = np.empty((len(drafts), 1)), np.empty((len(drafts), 1), np.int64)
        self._binding = session.bind(graph.CHOSEN)
        self._binding.feed(graph.SHARPNESS, self._sharpness)
        self._binding.feed(graph.POINT, self._points)
        self._binding.land(graph.CHOSEN, self._chosen)

    def draw(self, logits: Array) -> list[int]:
        self._points[:, 0] = [draft.throw() for draft in self.drafts]
        whole = np.ascontiguousarray(logits, np.float32)
        self._binding.feed(graph.LOGITS, whole)
        self._binding.step()
        chosen: list[int] = self._chosen[:, 0].tolist()
        return chosen


def _column(values: list[float]) -> Array:
    return np.array(values, np.float64)[:, None]
