"""The size at which a model draws a picture of the size that was asked for."""

from __future__ import annotations

import math

from hordenode.engine.jobs import UnsupportedJob

STEP = 64  # contract 4.1


def check_size(width: int, height: int) -> None:
    """Raises UnsupportedJob for sizes that the horde does not know."""
    for name, size in (("width", width), ("height", height)):
        if size < STEP or size % STEP:
            raise UnsupportedJob(f"{name} {size} is not a multiple of {STEP}.")


def drawn_size(width: int, height: int, step: int, min_pixels: int = 0, max_pixels: int = 0) -> tuple[int, int]:
    """Multiples of `step` of nearly the same aspect, with an area inside the limits (0 = none) where that can be."""
    area = width * height
    target = max(area, min_pixels)
    if max_pixels:
        target = min(target, max_pixels)
    scale = math.sqrt(target / area)
    sides = [(w, h) for w in _around(width * scale, step) for h in _around(height * scale, step)]
    fitting = [(w, h) for w, h in sides if not max_pixels or w * h <= max_pixels]

    def misfit(side: tuple[int, int]) -> tuple[float, int]:
        w, h = side
        return round(abs(math.log((w * height) / (h * width))), 6), -w * h

    # A long strip may have no candidate inside the limit: the smallest one is the nearest to it.
    return min(fitting or sides[:1], key=misfit)


def _around(size: float, step: int) -> tuple[int, ...]:
    """The multiples of `step` just below and above; only one when it is met."""
    below = max(math.floor(size / step + 1e-9), 1) * step
    return (below,) if below >= size - 1e-6 else (below, below + step)
