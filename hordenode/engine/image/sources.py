"""Pictures to start from: read with their size looked at first, brought to the size and shape that a model draws."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hordenode.engine.jobs import EngineError, UnsupportedJob

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64_000_000
HALF = 128


class BadPicture(EngineError):
    """A source image or mask cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture of the asked size. `rgb` [h, w, 3] in 0..255; `mask` [h, w], True where it is painted anew."""

    rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None


def read_source(image: bytes, mask: bytes, processing: str, width: int, height: int) -> Source:
    """The source of a job at its size. Raises BadPicture, and UnsupportedJob when there is nothing to paint."""
    picture = read_picture(image, "source image")
    if processing == "img2img":
        return Source(_pixels(picture, width, height), None)
    if mask:
        wanted = read_picture(mask, "source mask").convert("L")
        chosen = np.asarray(_sized(wanted, width, height)) >= HALF
    elif "A" in picture.getbands():
        chosen = np.asarray(_sized(picture.getchannel("A"), width, height)) < HALF
    elif processing == "outpainting":
        picture, chosen = _framed(picture, width, height)
    else:
        raise UnsupportedJob("Inpainting needs a source_mask, or a source image with a transparent part.")
    if not chosen.any():
        raise UnsupportedJob(f"There is nothing to paint: the mask for {processing} leaves the whole picture as it is.")
    return Source(_pixels(picture, width, height), chosen)


def read_picture(data: bytes, what: str) -> Image.Image:
    """A decoded PNG, JPEG or WebP, upright, as RGB or RGBA. Raises BadPicture."""
    try:
        opened = Image.open(io.BytesIO(data), formats=FORMATS)
        if opened.width * opened.height > MAX_PIXELS:
            raise BadPicture(f"The {what} has {opened.width}x{opened.height} pixels; at most {MAX_PIXELS} are taken.")
        upright = ImageOps.exif_transpose(opened)
        return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except BadPicture:
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsing meets
        raise BadPicture(f"The {what} is damaged, or not a PNG, JPEG or WebP picture. Send another one.") from error


def latent_mask(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float32]:
    """[1, 1, height, width]: 1 for every latent of which a pixel is painted anew."""
    rows, columns = mask.shape[0] / height, mask.shape[1] / width
    tops, lefts = (np.arange(height) * rows).astype(int), (np.arange(width) * columns).astype(int)
    any_row = np.logical_or.reduceat(mask, tops, axis=0)
    return np.logical_or.reduceat(any_row, lefts, axis=1).astype(np.float32)[None, None]


def resized(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """[h, w, 3] at another size."""
    return np.asarray(_sized(Image.fromarray(rgb), width, height))


def _pixels(picture: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(_sized(picture.convert("RGB"), width, height))


def _sized(picture: Image.Image, width: int, height: int) -> Image.Image:
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _framed(picture: Image.Image, width: int, height: int) -> tuple[Image.Image, NDArray[np.bool_]]:
    """In the middle of the asked size, no larger than it is; all around it is to be painted."""
    scale = min(width / picture.width, height / picture.height, 1.0)
    inside = picture.resize((max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)))
    left, top = (width - inside.width) // 2, (height - inside.height) // 2
    canvas = Image.new("RGB", (width, height), (HALF,) * 3)
    canvas.paste(inside, (left, top))
    chosen = np.ones((height, width), np.bool_)
    chosen[top : top + inside.height, left : left + inside.width] = False
    return canvas, chosen
