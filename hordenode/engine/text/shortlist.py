"""The few likeliest of wide rows of logits, found for all rows of a batch at once.

A step has a millisecond for eight texts. What numpy computes here costs little; that it is asked costs more, as all the
model's weights went through the processor's caches since the last time. So it is asked seldom, and for all rows together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.text.samplers import SPAN, Columns, Logits, candidates, room

Grid = NDArray[np.float32]
Places = NDArray[np.int64]  # in a grid [rows, width] that is laid out as one line


class Found(NamedTuple):
    """Some places and what they hold; and for each row a bound: what is below it does not matter."""

    places: Places
    values: Grid
    bounds: Grid


def reaching(grid: Grid, counts: Places, spans: Grid | None, apart: Places) -> Found:
    """What is among the `counts` highest of each row, and a little more.

    `spans`: the highest of each SPAN neighbours [rows, spans], where they are known: then most of the grid is not looked
    at. Of what lies `apart`, which holds -inf, they may tell something else.
    """
    rows, width = grid.shape
    if spans is not None and counts.max() <= spans.shape[1]:
        free = spans.copy()
        free.reshape(-1)[apart // SPAN] = -np.inf
        free.sort(axis=1)
        bounds: Grid = free[np.arange(rows), spans.shape[1] - counts]
        if bounds.min() > -np.inf:
            return _near(grid, spans, bounds)
    each = zip(range(0, grid.size, width), grid, counts.tolist(), strict=True)
    places = np.concatenate([start + candidates(row, count) for start, row, count in each])
    return Found(places, grid.reshape(-1)[places], np.full(rows, -np.inf, np.float32))


def _near(grid: Grid, spans: Grid, bounds: Grid) -> Found:
    """All that reaches the bound of its row."""
    good = (spans >= bounds[:, None]).reshape(-1).nonzero()[0]
    block = grid.reshape(-1, SPAN).take(good, axis=0)
    near = (block >= bounds[good // spans.shape[1], None]).reshape(-1).nonzero()[0]
    return Found(good[near // SPAN] * SPAN + near % SPAN, block.reshape(-1)[near], bounds)


def highest(places: Places, values: Logits, width: int, counts: Places) -> Iterator[tuple[list[int], Logits, Columns]]:
    """The `counts` highest values of each row, with all that equal the last of them; the others become -inf.

    Yields which rows, and [rows, few] their values and columns, from left to right: rows together that are given the
    same width, which each decides by itself (see samplers.padded).
    """
    order, rows = places.argsort(), len(counts)
    lines, columns = np.divmod(places[order], width)
    sizes = np.bincount(lines, minlength=rows)
    rooms = [room(size) for size in sizes.tolist()]
    widest = max(rooms)
    at = np.arange(len(lines)) + (np.arange(0, rows * widest, widest) - sizes.cumsum() + sizes).repeat(sizes)
    few, tokens = np.full((rows, widest), -np.inf), np.zeros((rows, widest), np.int64)
    few.reshape(-1)[at], tokens.reshape(-1)[at] = values[order], columns
    last = np.sort(few, axis=1)[np.arange(rows), np.maximum(widest - counts, 0)]
    few[few < last[:, None]] = -np.inf
    if len(set(rooms)) == 1:
        yield list(range(rows)), few, tokens
        return
    for each in dict.fromkeys(rooms):
        alike = [row for row, size in enumerate(rooms) if size == each]
        yield alike, few[alike, :each], tokens[alike, :each]
