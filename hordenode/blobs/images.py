"""Pictures from outside: looked at before they are decoded, stored as WebP."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hordenode.blobs.webp import is_webp, read_header

MAX_SIDE = 16_383  # WebP's own limit
MAX_PIXELS = 64_000_000
RESULT_QUALITY = 95

# By their first bytes. Not Image.open: its own limit on pixels is a setting of the whole process, and it takes the
# pictures of newer phones (JPEG with a preview behind) for animations.
_READERS: dict[bytes, Callable[[io.BytesIO], Image]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"GIF87a": GifImageFile,
    b"GIF89a": GifImageFile,
    b"BM": BmpImageFile,
}


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
    if is_webp(data):
        return _inspect_webp(data)
    return _info(_opened(data))


def to_webp(data: bytes, quality: int = RESULT_QUALITY) -> bytes:
    """The picture as WebP; one that already is comes back byte for byte. Raises BadImage for a damaged one too."""
    if is_webp(data):
        _inspect_webp(data)
        try:
            WebPImageFile(io.BytesIO(data)).load()
        except Exception as error:  # Pillow's plugins raise whatever their parsing meets, here and below
            raise BadImage("the picture is damaged") from error
        return data
    image = _opened(data)
    info = _info(image)
    try:
        return _encoded(image, info, quality)
    except Exception as error:
        raise BadImage("the picture is damaged") from error


def _inspect_webp(data: bytes) -> ImageInfo:
    try:
        header = read_header(data)
    except ValueError as error:
        raise BadImage(f"the picture is damaged: {error}") from error
    _check(header.width, header.height, animated=header.animated)
    return ImageInfo(header.width, header.height, header.alpha, "WEBP")


def _opened(data: bytes) -> Image:
    for start, reader in _READERS.items():
        if data.startswith(start):
            try:
                return reader(io.BytesIO(data))
            except Exception as error:
                raise BadImage("the picture is damaged") from error
    raise BadImage("this is not a picture in a known format (WebP, PNG, JPEG)")


def _info(image: Image) -> ImageInfo:
    _check(*image.size, animated=getattr(image, "is_animated", False))
    alpha = "A" in image.getbands() or "transparency" in image.info
    return ImageInfo(*image.size, alpha, image.format or "")


def _check(width: int, height: int, *, animated: bool) -> None:
    if not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE or width * height > MAX_PIXELS:
        raise BadImage(f"{width}x{height} pixels are not a size that this node takes")
    if animated:
        raise BadImage("animated pictures are not taken")


def _encoded(image: Image, info: ImageInfo, quality: int) -> bytes:
    """Upright, as cameras mean it, in 8 bits per channel."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits of grey: convert() would cut instead of scale
        upright = upright.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    out = io.BytesIO()
    upright.convert("RGBA" if info.alpha else "RGB").save(out, "WEBP", quality=quality)
    return out.getvalue()
