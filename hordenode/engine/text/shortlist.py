"""The few likeliest of wide rows of logits, found for all rows of a batch at once.

A step has a millisecond for eight texts. What numpy computes here costs little; that it is asked costs more, as all the
model's weights went through the processor's caches since the last time. So it is asked seldom, for all rows together, and
by methods, as numpy's functions of the same name are Python around them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.text.samplers import Column, Columns, Logits, candidates, room

Grid = NDArray[np.float32]
Places = NDArray[np.int64]  # in a grid [rows, width] that is laid out as one line


class Highest(NamedTuple):
    """The highest logits of each row, falling, and which tokens they are of, both [rows, few]: a graph may tell them."""

    logits: Grid
    tokens: Columns


class Shortlist(NamedTuple):
    """Logits of some tokens of each row, from left to right, and which tokens [rows, few].

    `sizes`: how many; from there on a row is filled up with -inf and 0. `floor` [rows, 1]: all above it are there.
    """

    logits: Logits
    tokens: Columns
    sizes: NDArray[np.int64]
    floor: Column


def told(highest: Highest) -> Shortlist:
    """What the graph told, from left to right: tokens as likely as the last of them may be missing."""
    lines, sizes = _whole(*highest.tokens.shape)
    order = highest.tokens.argsort(axis=1)
    logits = highest.logits.astype(np.float64)
    return Shortlist(logits[lines, order], highest.tokens[lines, order], sizes, logits[:, -1:])


@cache
def _whole(rows: int, few: int) -> tuple[Places, Places]:
    """Numbers of rows [rows, 1], and sizes of rows that are full: numpy takes longer to make them than to use them."""
    return np.arange(rows)[:, None], np.full(rows, few)


def shortlist(grid: Grid, counts: Places) -> Shortlist:
    """The `counts` highest of each row, with all that are equal to the last of them, and some more."""
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
    lowest = np.minimum.reduceat(values, sizes.cumsum() - sizes).astype(np.float64)
    return Shortlist(few, tokens, sizes, np.nextafter(lowest, -np.inf)[:, None])


def keep_highest(logits: Logits, counts: Places) -> Column:
    """Rule out all but the `counts` highest of each row [rows, few], and those just as likely as the last of them.

    Returns that last one of each row.
    """
    rows, few = logits.shape
    ranked = logits.copy()
    ranked.sort(axis=1)
    last: Column = ranked[_whole(rows, few)[0], np.maximum(few - counts, 0)[:, None]]
    np.putmask(logits, logits < last, -np.inf)
    return last
