"""The outlines of an area of pixels, as closed walks along the pixels' edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
_Corner = tuple[int, int]
_Ways = dict[_Corner, list[_Corner]]


def contours(area: NDArray[np.bool_], shortest: int = 0) -> list[Points]:
    """Closed polygons [n, 2] as (x, y) around all of an area [h, w], holes included; corners only.

    Outlines of fewer than `shortest` edges of pixels are left out.

    The area lies to the right of each edge. Where two pixels touch only at a corner the walk turns right, so that they
    stay apart.
    """
    ways = _edges(np.pad(area, 1))
    found = []
    while ways:
        walk = _walk(ways, next(iter(ways)))
        if len(walk) >= shortest:
            found.append(_turns(walk))
    return found


def _edges(area: NDArray[np.bool_]) -> _Ways:
    """From each corner of a pixel, the corners to which an edge of the area leads. `area` has an empty border."""
    ways: _Ways = {}
    above, below, left, right = area[:-1], area[1:], area[:, :-1], area[:, 1:]
    # Where edges are, and where they begin and end from there, in the coordinates of the area without its border.
    for edges, begin, end in (
        (below & ~above, (-1, 0), (0, 0)),  # along the top of a pixel, to the right
        (above & ~below, (0, 0), (-1, 0)),  # along its bottom, to the left
        (left & ~right, (0, -1), (0, 0)),  # along its right side, down
        (right & ~left, (0, 0), (0, -1)),  # along its left side, up
    ):
        ys, xs = np.nonzero(edges)
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            ways.setdefault((x + begin[0], y + begin[1]), []).append((x + end[0], y + end[1]))
    return ways


def _walk(ways: _Ways, start: _Corner) -> list[_Corner]:
    """Follow edges, using them up, until the walk is where it began."""
    walk = [start]
    here = _follow(ways, start, start)
    while here != start:
        walk.append(here)
        here = _follow(ways, here, walk[-2])
    return walk


def _follow(ways: _Ways, here: _Corner, before: _Corner) -> _Corner:
    """Where an edge leads from here; of two edges, the one to the right of the way that led here."""
    leads = ways[here]
    if len(leads) == 1:
        del ways[here]
        return leads[0]
    right = (here[0] - (here[1] - before[1]), here[1] + (here[0] - before[0]))
    return leads.pop(leads.index(right) if right in leads else 0)


def _turns(walk: list[_Corner]) -> Points:
    """Without the points on straight lines."""
    points: Points = np.array(walk, np.float64)
    ahead = np.roll(points, -1, axis=0) - points
    behind = points - np.roll(points, 1, axis=0)
    kept: Points = points[(ahead != behind).any(axis=1)]
    return kept
