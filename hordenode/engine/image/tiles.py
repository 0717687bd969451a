"""Arrays too large for one run: in overlapping tiles that fade into each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Run = Callable[[Array], Array]


def in_tiles(run: Run, whole: Array, tile: int, overlap: int) -> Array:
    """`run` on tiles of [1, C, h, w]; the result may have another number of channels and another scale.

    `tile` and `overlap` in rows and columns of `whole`.
    """
    height, width = whole.shape[2:]
    if height <= tile and width <= tile:
        return run(whole)
    total, weights = np.zeros(0, np.float32), np.zeros(0, np.float32)
    for top in _starts(height, tile, overlap):
        for left in _starts(width, tile, overlap):
            made = run(np.ascontiguousarray(whole[:, :, top : top + tile, left : left + tile]))
            scale = made.shape[2] / min(tile, height)
            if not total.size:
                shape = (1, made.shape[1], round(height * scale), round(width * scale))
                total, weights = np.zeros(shape, np.float32), np.zeros((1, 1, *shape[2:]), np.float32)
            fade = _fade(made.shape[2], round(overlap * scale))[:, None] * _fade(made.shape[3], round(overlap * scale))
            y, x = round(top * scale), round(left * scale)
            here = np.s_[:, :, y : y + made.shape[2], x : x + made.shape[3]]
            total[here] += made * fade
            weights[here] += fade
    return total / weights


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin, so that the last one ends at the edge."""
    if size <= tile:
        return [0]
    count = -(-(size - overlap) // (tile - overlap))
    return [round(i * (size - tile) / (count - 1)) for i in range(count)]


def _fade(size: int, overlap: int) -> Array:
    """Weights that rise from the edges to 1; never 0, so that the outermost rows count too."""
    ramp = (np.arange(size, dtype=np.float32) + 1) / (overlap + 1)
    return np.minimum(np.minimum(ramp, ramp[::-1]), 1.0).astype(np.float32)
