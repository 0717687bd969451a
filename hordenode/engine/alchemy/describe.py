"""The form `describe`: facts about a picture that need no model: size, main colour, hashes to find it again by."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hordenode.engine.alchemy.colours import visible
from hordenode.engine.alchemy.options import Options
from hordenode.engine.alchemy.palette import palette

HASH_SIDE = 8
DCT_SIDE = 32
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def describe(image: Image.Image, options: Options) -> dict[str, Any]:
    """Pixels, colours and hashes.

    `brightness` 0..1. The hashes are 64 bits in hexadecimal, alike for alike pictures: average_hash (brighter than the
    mean), difference_hash (brighter than the left neighbour), perceptual_hash (sign of low frequencies). `sha256` is
    that of the pixels (RGBA, rows from the top): equal only for equal pictures, whatever format they came in.
    """
    rgba = image.convert("RGBA")
    colours = palette(image, {"colors": "5"})
    seen = visible(image)
    return {
        "width": image.width,
        "height": image.height,
        "megapixels": round(image.width * image.height / 1e6, 2),
        "aspect_ratio": round(image.width / image.height, 4),
        "orientation": _orientation(image),
        "transparent": bool(np.asarray(rgba.getchannel("A")).min() < 255),
        "main_color": colours[0]["color"] if colours else None,
        "brightness": round(float((seen @ _LUMA).mean() / 255), 4) if len(seen) else 0.0,
        "hashes": {
            "average_hash": _average_hash(image),
            "difference_hash": _difference_hash(image),
            "perceptual_hash": _perceptual_hash(image),
            "sha256": hashlib.sha256(rgba.tobytes()).hexdigest(),
        },
    }


def _orientation(image: Image.Image) -> str:
    if image.width == image.height:
        return "square"
    return "landscape" if image.width > image.height else "portrait"


def _grey(image: Image.Image, width: int, height: int) -> NDArray[np.float64]:
    """[height, width] in 0..255; what is transparent counts as white."""
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, image.convert("RGBA")).convert("L")
    return np.asarray(flat.resize((width, height), Image.Resampling.LANCZOS), np.float64)


def _average_hash(image: Image.Image) -> str:
    grey = _grey(image, HASH_SIDE, HASH_SIDE)
    return _hex(grey > grey.mean())


def _difference_hash(image: Image.Image) -> str:
    grey = _grey(image, HASH_SIDE + 1, HASH_SIDE)
    return _hex(grey[:, 1:] > grey[:, :-1])


def _perceptual_hash(image: Image.Image) -> str:
    """The 8x8 lowest frequencies of a cosine transform of 32x32 pixels, against their median."""
    place = np.arange(DCT_SIDE)
    basis = np.cos(np.pi / DCT_SIDE * np.outer(place[:HASH_SIDE], place + 0.5))
    low = basis @ _grey(image, DCT_SIDE, DCT_SIDE) @ basis.T
    return _hex(low > np.median(low.ravel()[1:]))  # without the mean, which dwarfs the rest


def _hex(bits: NDArray[np.bool_]) -> str:
    return np.packbits(bits.ravel()).tobytes().hex()
