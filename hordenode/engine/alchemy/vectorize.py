"""The form `vectorize`: a picture as SVG, traced without a model.

The picture is reduced to a few colours. Each colour's layer covers its own area and those of the colours drawn after
it, so that no gaps show between outlines that were smoothed apart.

An existing library, vtracer, traces better and faster, but holds the interpreter for as long as it takes (17 s for a
megapixel of noise): meanwhile the whole node would stand still.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hordenode.engine.alchemy.colours import OPAQUE, Colours, hexed, main_colours, nearest
from hordenode.engine.alchemy.contours import Points, contours
from hordenode.engine.alchemy.curves import simplified, smooth_path
from hordenode.engine.alchemy.options import Options, whole

SIDE = 512  # the picture is traced at this size at most; an outline says more than its pixels
COLORS = 16
SPECKLE = 5  # side of the window in which the most frequent colour wins
SHORTEST = 14  # edges of pixels around the smallest area
SMALLEST = 12.0  # area in pixels of an outline worth drawing
MOST = 2000  # outlines; noise has no end of them
TRANSPARENT = -1


def vectorize(image: Image.Image, options: Options) -> str:
    """An SVG document of the picture's size, in at most `colors` (16) colours; what is transparent stays so."""
    small = image.convert("RGBA")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    scale = image.width / small.width
    labels, colours = _reduced(small, whole(options, "colors", COLORS, 2, 64))
    found = [
        (label, _size(outline), outline)
        for label, area in _layers(labels, len(colours))
        for outline in contours(area, SHORTEST)
    ]
    least = max([SMALLEST, *sorted(size for _, size, _ in found)[-MOST:][:1]])
    paths: dict[int, list[str]] = {}
    for label, size, outline in found:
        if size >= least:
            paths.setdefault(label, []).append(smooth_path(simplified(outline), scale))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{image.width}" height="{image.height}" fill-rule="evenodd">'
    drawn = (f'<path fill="{hexed(colours[label])}" d="{"".join(parts)}"/>' for label, parts in paths.items())
    return "\n".join([head, *drawn, "</svg>"])


def _reduced(image: Image.Image, colors: int) -> tuple[NDArray[np.int16], Colours]:
    """(which colour each pixel has, [h, w]; the colours, [n, 3]). Transparent pixels have none."""
    colours = main_colours(image, colors)
    seen = np.asarray(image.getchannel("A")) >= OPAQUE
    if not len(colours) or not seen.any():
        return np.full(seen.shape, TRANSPARENT, np.int16), colours
    chosen = nearest(np.asarray(image.convert("RGB")).reshape(-1, 3), colours)
    calm = Image.fromarray(chosen.reshape(seen.shape).astype(np.uint8)).filter(ImageFilter.ModeFilter(SPECKLE))
    return np.where(seen, np.asarray(calm).astype(np.int16), np.int16(TRANSPARENT)), colours


def _layers(labels: NDArray[np.int16], count: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Colours from the most frequent on, each with the area that it and all later ones cover."""
    sizes = np.bincount(labels[labels != TRANSPARENT], minlength=count)
    left = labels != TRANSPARENT
    for label in np.argsort(-sizes, kind="stable"):
        if sizes[label]:
            yield int(label), left
            left = left & (labels != label)


def _size(polygon: Points) -> float:
    """Its area in pixels."""
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
