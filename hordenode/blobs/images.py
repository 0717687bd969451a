"""Pictures from outside: looked at before they are decoded, stored as WebP."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

MAX_SIDE = 16_383  # WebP's own limit
MAX_PIXELS = 64_000_000
MAX_FRAMES = 1
RESULT_QUALITY = 95
FORMATS = ("WEBP", "PNG", "JPEG", "GIF", "BMP")


class BadImage(Exception):
    """Not a picture that this node takes; the text says why."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header says. Sizes in pixels."""

    width: int
    height: int
    alpha: bool
    format: str


def inspect(data: bytes) -> ImageInfo:
    """Read the header only. Raises BadImage for what is no picture, too large, or animated."""
    with _opened(data) as image:
        return _info(image)


def to_webp(data: bytes, quality: int = RESULT_QUALITY) -> bytes:
    """The picture as WebP; one that already is comes back byte for byte. Raises BadImage."""
    with _opened(data) as image:
        info = _info(image)
        try:
            image.load()
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise BadImage(f"the picture is damaged: {error}") from error
        if info.format == "WEBP":
            return data
        out = io.BytesIO()
        image.convert("RGBA" if info.alpha else "RGB").save(out, "WEBP", quality=quality)
        return out.getvalue()


def _opened(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("the picture has too many pixels") from error
    except Exception as error:  # Pillow's plugins raise whatever their parsing meets
        raise BadImage("this is not a picture in a known format (WebP, PNG, JPEG)") from error


def _info(image: Image.Image) -> ImageInfo:
    width, height = image.size
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadImage(f"{width}x{height} pixels are too many")
    if getattr(image, "n_frames", 1) > MAX_FRAMES:
        raise BadImage("animated pictures are not taken")
    alpha = "A" in image.getbands() or "transparency" in image.info
    return ImageInfo(width, height, alpha, image.format or "")
