"""Pictures from outside: looked at before they are decoded, stored as WebP."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hordenode.blobs.webp import is_webp, read_header, without_metadata

MAX_SIDE = 16_383  # WebP's own limit
MAX_PIXELS = 64_000_000
RESULT_QUALITY = 95
LOSSLESS_METHOD = 0  # the quickest

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


class UnknownFormat(BadImage):
    """No picture at all, as far as this node can tell."""


class TooLarge(BadImage):
    """More pixels than this node takes."""


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
        _decoded_webp(data)
        return data
    return _converted(data, quality)


def source_webp(data: bytes, quality: int | None) -> bytes:
    """A client's picture as WebP without metadata: where it was taken is nobody's business. Raises BadImage.

    quality: None keeps all that can be seen, without loss where the picture's own format has none.
    """
    if not is_webp(data):
        return _converted(data, quality)
    image = _decoded_webp(data)
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return _encoded(image, _inspect_webp(data), quality)
    return without_metadata(data)


def _converted(data: bytes, quality: int | None) -> bytes:
    image = _opened(data)
    info = _info(image)
    try:
        return _encoded(image, info, quality)
    except Exception as error:
        raise BadImage("the picture is damaged") from error


def _decoded_webp(data: bytes) -> Image:
    _inspect_webp(data)
    try:
        image = WebPImageFile(io.BytesIO(data))
        image.load()
    except Exception as error:  # Pillow's plugins raise whatever their parsing meets, here and above
        raise BadImage("the picture is damaged") from error
    return image


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
    raise UnknownFormat("this is not a picture in a known format (WebP, PNG, JPEG)")


def _info(image: Image) -> ImageInfo:
    _check(*image.size, animated=getattr(image, "is_animated", False))
    alpha = "A" in image.getbands() or "transparency" in image.info
    return ImageInfo(*image.size, alpha, image.format or "")


def _check(width: int, height: int, *, animated: bool) -> None:
    if not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE or width * height > MAX_PIXELS:
        raise TooLarge(f"{width}x{height} pixels are not a size that this node takes")
    if animated:
        raise BadImage("animated pictures are not taken")


def _encoded(image: Image, info: ImageInfo, quality: int | None) -> bytes:
    """Upright, as cameras mean it, in 8 bits per channel."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits of grey: convert() would cut instead of scale
        upright = upright.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    out = io.BytesIO()
    lossless = quality is None and info.format != "JPEG"
    options = {"lossless": True, "method": LOSSLESS_METHOD} if lossless else {"quality": quality or RESULT_QUALITY}
    upright.convert("RGBA" if info.alpha else "RGB").save(out, "WEBP", exif=b"", xmp=b"", **options)
    return out.getvalue()
