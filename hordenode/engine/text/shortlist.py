"""The few likeliest of wide rows of logits, found for all rows of a batch at once.

A step has a millisecond for eight texts. What numpy computes here costs little; that it is asked costs more, as all the
model's weights went through the processor's caches since the last time. So it is asked seldom, for all rows together, and
by methods, as numpy's functions of the same name are Python around them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.text.samplers import SPAN, Columns, Logits, candidates, room

Grid = NDArray[np.float32]
Places = NDArray[np.int64]  # in a grid [rows, width] that is laid out as one line


class Shortlist(NamedTuple):
    """Logits of some tokens of each row, from left to right, and which tokens [rows, few].

    `sizes`: how many; from there on a row is filled up with -inf and 0.
    """

    logits: Logits
    tokens: Columns
    sizes: NDArray[np.int64]


def shortlist(grid: Grid, counts: Places, spans: Grid | None) -> Shortlist:
    """The `counts` highest of each row, with all that are equal to the last of them, and some more.

    `spans`: the highest of each SPAN neighbours [rows, spans], where they are known: then most of the grid is not looked
    at, and where there are fewer spans than are wanted, there may be fewer candidates.
    """
    if spans is not None:
        places, values = _near(grid, np.minimum(counts, spans.shape[1]), spans)
    else:
        each = zip(range(0, grid.size, grid.shape[1]), grid, counts.tolist(), strict=True)
        places = np.concatenate([start + candidates(row, count) for start, row, count in each])
        values = grid.reshape(-1)[places]
    lines, columns = np.divmod(places, grid.shape[1])
    sizes = np.bincount(lines, minlength=len(grid))
    shape = len(grid), room(int(sizes.max()))
    at = np.arange(len(places)) + (np.arange(0, shape[0] * shape[1], shape[1]) - sizes.cumsum() + sizes).repeat(sizes)
    few, tokens = np.empty(shape), np.zeros(shape, np.int64)
    few.fill(-np.inf)
    few.reshape(-1)[at], tokens.reshape(-1)[at] = values, columns
    return Shortlist(few, tokens, sizes)


def _near(grid: Grid, counts: Places, spans: Grid) -> tuple[Places, Grid]:
    """All that reach the highest of the last of so many spans."""
    rows, size = spans.shape
    ranked = spans.copy()
    ranked.sort(axis=1)
    bounds = ranked[np.arange(rows), size - counts, None]
    good = (spans >= bounds).reshape(-1).nonzero()[0]
    block = grid.reshape(-1, SPAN).take(good, axis=0)
    near = (block >= bounds[good // size]).reshape(-1).nonzero()[0]
    return good[near // SPAN] * SPAN + near % SPAN, block.reshape(-1)[near]


def keep_highest(logits: Logits, counts: Places) -> None:
    """Rule out all but the `counts` highest of each row [rows, few], and those just as likely as the last of them."""
    rows, few = logits.shape
    ranked = logits.copy()
    ranked.sort(axis=1)
    last = ranked[np.arange(rows), np.maximum(few - counts, 0), None]
    logits[logits < last] = -np.inf
