"""From a polygon along pixels to a smooth path: Peter Selinger's Potrace ("a polygon-based tracing algorithm", 2003).

Its search for the best polygon is replaced by Douglas and Peucker's, which is enough for pictures of many colours.
"""

from __future__ import annotations

import numpy as np

from hordenode.engine.alchemy.contours import Points

TOLERANCE = 0.75  # pixels that the polygon may stay away from the pixels' edges
SHARPEST, FLATTEST = 1.0, 0.55  # Potrace's alpha: above it a corner stays, below it a curve would be too flat
UNIT = 0.5  # half a pixel: what the polygon knows of its corners


def simplified(polygon: Points, tolerance: float = TOLERANCE) -> Points:
    """A closed polygon with fewer corners, none further away than the tolerance (Douglas and Peucker)."""
    if len(polygon) < 4:
        return polygon
    far = int(((polygon - polygon[0]) ** 2).sum(axis=1).argmax())  # so that neither span begins where it ends
    closed: Points = np.concatenate([polygon, polygon[:1]])
    kept = np.zeros(len(closed), np.bool_)
    kept[[0, far]] = True
    spans = [(0, far), (far, len(closed) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        away = _distances(closed[first + 1 : last], closed[first], closed[last])
        worst = int(away.argmax())
        if away[worst] > tolerance:
            middle = first + 1 + worst
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    chosen: Points = polygon[kept[:-1]]
    return chosen


def _distances(points: Points, begin: Points, end: Points) -> Points:
    """Of points [n, 2] from one line, or from a line each."""
    along = end - begin
    length = np.hypot(along[..., 0], along[..., 1])
    away = points - begin
    cross = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
    return np.asarray(np.where(length > 0, np.abs(cross) / np.maximum(length, 1e-9), np.hypot(*away.T)))


def smooth_path(polygon: Points, scale: float) -> str:
    """SVG path data of a closed polygon, times `scale`: between the middles of its sides, a curve or a corner each."""
    after = (polygon + np.roll(polygon, -1, axis=0)) / 2
    before = np.roll(after, 1, axis=0)
    alpha = _alpha(polygon, before, after)
    pull = np.minimum(alpha, 1.0)[:, None]
    first, second = before + pull * (polygon - before), after + pull * (polygon - after)
    numbers = (np.concatenate([first, second, after, polygon], axis=1) * scale).round(1).tolist()
    parts = [f"M{numbers[-1][4]:g} {numbers[-1][5]:g}"]
    for (x1, y1, x2, y2, x, y, cx, cy), sharp in zip(numbers, (alpha > SHARPEST).tolist(), strict=True):
        if sharp:
            parts.append(f"L{cx:g} {cy:g} {x:g} {y:g}")
        else:
            parts.append(f"C{x1:g} {y1:g} {x2:g} {y2:g} {x:g} {y:g}")
    return "".join(parts) + "Z"


def _alpha(corners: Points, before: Points, after: Points) -> Points:
    """How pointed corners are: 4/3 of where a curve would leave half a pixel around them free."""
    away = _distances(corners, before, after)
    gamma = (away - UNIT) / np.maximum(away, UNIT / 2)
    return np.asarray(np.maximum(FLATTEST, gamma * 4 / 3))
