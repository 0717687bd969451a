"""Large pictures through a graph in tiles that overlap, so that memory stays bounded and no seams show."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]  # [h, w, 3] in 0..1


def tiled(
    pixels: Pixels, run: Callable[[Pixels], Pixels], done: Callable[[int, int], None], *, tile: int, margin: int
) -> Pixels:
    """What `run` makes of a picture, tile by tile; it may enlarge by a whole factor. `margin`: what a tile sees around it.

    Raises what `run` and `done` raise.
    """
    height, width = pixels.shape[:2]
    places = list(_places(height, width, tile))
    made: Pixels | None = None
    for step, (top, left) in enumerate(places, 1):
        above, before = min(top, margin), min(left, margin)
        seen = pixels[top - above : top + tile + margin, left - before : left + tile + margin]
        enlarged = run(seen)
        scale = enlarged.shape[0] // seen.shape[0]
        if made is None:
            made = np.empty((height * scale, width * scale, 3), np.float32)
        rows, columns = min(tile, height - top) * scale, min(tile, width - left) * scale
        cut = enlarged[above * scale : above * scale + rows, before * scale : before * scale + columns]
        made[top * scale : top * scale + rows, left * scale : left * scale + columns] = cut
        done(step, len(places))
    assert made is not None  # there is at least one tile
    return made


def _places(height: int, width: int, tile: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield top, left
