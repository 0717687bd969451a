"""Captioned training pictures, drawn by our own code (PIL and numpy only) from a seed."""

from __future__ import annotations

from random import Random

from hordenode.demo.figures import figures_picture
from hordenode.demo.landscapes import landscape_picture
from hordenode.demo.palette import Picture

SIZE = 256
# The larger part teaches colours, counts and relations, which is what a first prompt is judged by.
SHARE_OF_FIGURES = 0.58
# From this seed on, pictures are for measuring only; no training ever draws them.
HELD_OUT_SEED = 2_000_000_000


def draw_picture(seed: int, size: int = SIZE) -> Picture:
    """Draw the picture of this seed, `size` pixels wide and high; the same seed gives the same picture."""
    random = Random(seed)
    make = figures_picture if random.random() < SHARE_OF_FIGURES else landscape_picture
    return make(random, size)
