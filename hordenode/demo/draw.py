"""Captioned training pictures, drawn by our own code (PIL and numpy only) from a seed."""

from __future__ import annotations

from random import Random

from hordenode.demo.landscapes import landscape_picture
from hordenode.demo.palette import Picture
from hordenode.demo.shapes import shapes_picture

# The larger part teaches colours, shapes and relations, which is what a first prompt is judged by.
SHARE_OF_SHAPES = 0.6


def draw_picture(seed: int, size: int = 128) -> Picture:
    """Draw the picture of this seed, `size` pixels wide and high; the same seed gives the same picture."""
    random = Random(seed)
    kind = shapes_picture if random.random() < SHARE_OF_SHAPES else landscape_picture
    return kind(random, size)
