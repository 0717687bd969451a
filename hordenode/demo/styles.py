"""The four ways in which a picture is drawn, and the words that ask for them."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageFilter

from hordenode.demo.palette import Pixels

FLAT, OUTLINE, WATERCOLOUR, PIXEL_ART = "flat", "outline", "watercolour", "pixel art"
STYLES = (FLAT, OUTLINE, WATERCOLOUR, PIXEL_ART)
# A picture without a word about its style is a flat one.
WEIGHTS = (0.48, 0.2, 0.16, 0.16)

OPENINGS: dict[str, tuple[str, ...]] = {
    FLAT: ("a flat drawing of", "a flat picture of", "flat illustration of"),
    OUTLINE: ("an outline drawing of", "outlines of", "a line drawing of", "an outline of"),
    WATERCOLOUR: ("a watercolour of", "a watercolour painting of", "a watercolor painting of", "watercolor of"),
    PIXEL_ART: ("pixel art of", "a pixel art picture of", "pixel art showing"),
}
ENDINGS: dict[str, tuple[str, ...]] = {
    FLAT: ("in flat style", "flat style", "flat"),
    OUTLINE: ("in outlines", "outline style", "as an outline drawing", "outline"),
    WATERCOLOUR: ("in watercolour", "watercolour style", "as a watercolour", "watercolor"),
    PIXEL_ART: ("in pixel art", "pixel art style", "as pixel art", "pixel art"),
}

# A pixel-art picture has this many blocks a side.
BLOCKS = 32
BLUR = 0.006  # of the side, at the edges of a wash
WASH_PLACES = 6


def finish(pixels: Pixels, style: str, random: Random) -> Pixels:
    """Turn drawn pixels [H, W, 3] into the style's; outlines are the canvas's own work and stay as they are."""
    if style == WATERCOLOUR:
        return _watercolour(pixels, random)
    return _blocks(pixels) if style == PIXEL_ART else pixels


def _watercolour(pixels: Pixels, random: Random) -> Pixels:
    """Soft edges, and washes that are thinner here than there, so that paper shines through."""
    side = pixels.shape[0]
    soft = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR * side)), dtype=np.float32)
    places = np.array([random.random() for _ in range(WASH_PLACES**2)], np.float32).reshape(WASH_PLACES, -1)
    wash = Image.fromarray((places * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    strength = 0.66 + 0.3 * np.asarray(wash, dtype=np.float32)[:, :, None] / 255
    paper = np.array([252, 249, 242], np.float32)
    return (paper - (paper - np.minimum(soft, paper)) * strength).clip(0, 255).astype(np.uint8)


def _blocks(pixels: Pixels) -> Pixels:
    side = pixels.shape[0]
    small = Image.fromarray(pixels).resize((BLOCKS, BLOCKS), Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.NEAREST), dtype=np.uint8)
