"""A few colours that stand for all of a picture's: median cut, then some rounds of k-means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 256  # enough to find colours by
ROUNDS = 4
CHUNK = 65_536  # pixels compared at a time
OPAQUE = 128

Colours = NDArray[np.uint8]


def main_colours(image: Image.Image, count: int) -> Colours:
    """At most `count` colours [n, 3]; none for a picture that is all transparent."""
    pixels = visible(image)
    if not len(pixels):
        return np.zeros((0, 3), np.uint8)
    cut = Image.fromarray(pixels[None]).quantize(count, method=Image.Quantize.MEDIANCUT)
    colours: Colours = np.array(cut.getpalette(), np.uint8).reshape(-1, 3)
    for _ in range(ROUNDS):
        labels = nearest(pixels, colours)
        sizes = np.bincount(labels, minlength=len(colours))
        sums = np.stack([np.bincount(labels, pixels[:, c], minlength=len(colours)) for c in range(3)], axis=1)
        colours = (sums[sizes > 0] / sizes[sizes > 0, None]).round().astype(np.uint8)
    return np.unique(colours, axis=0)


def nearest(pixels: Colours, colours: Colours) -> NDArray[np.intp]:
    """Which of the colours is nearest to each pixel [n, 3]."""
    ours = colours.astype(np.float32)
    half = (ours**2).sum(axis=1) / 2
    parts = (pixels[at : at + CHUNK].astype(np.float32) for at in range(0, len(pixels), CHUNK))
    return np.concatenate([np.argmax(part @ ours.T - half, axis=1) for part in parts])


def visible(image: Image.Image) -> Colours:
    """The pixels that can be seen, [n, 3], of the picture made small."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.NEAREST)  # others would mix colours that are not there
    rgba = np.asarray(small.convert("RGBA")).reshape(-1, 4)
    return np.ascontiguousarray(rgba[rgba[:, 3] >= OPAQUE, :3])


def hexed(colour: Colours) -> str:
    """#rrggbb"""
    return "#" + "".join(f"{int(part):02x}" for part in colour)
