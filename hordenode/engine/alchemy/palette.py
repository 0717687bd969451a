"""The form `palette`: the colours of a picture, most frequent first."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from PIL import Image

from hordenode.engine.alchemy.colours import hexed, main_colours, nearest, visible
from hordenode.engine.alchemy.options import Options, whole

COLORS = 8
LEAST = 0.001  # share of a colour that is worth naming


class Colour(TypedDict):
    """`color` as #rrggbb; `share` of the visible pixels, 0..1."""

    color: str
    share: float


def palette(image: Image.Image, options: Options) -> list[Colour]:
    """At most `colors` (8) of the colours. A picture that is all transparent has none."""
    colours = main_colours(image, whole(options, "colors", COLORS, 1, 64))
    if not len(colours):
        return []
    labels = nearest(visible(image), colours)
    shares = np.bincount(labels, minlength=len(colours)) / len(labels)
    order = [index for index in np.argsort(-shares, kind="stable") if shares[index] >= LEAST]
    return [Colour(color=hexed(colours[i]), share=round(float(shares[i]), 4)) for i in order]
