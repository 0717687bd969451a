"""Pictures from outside: looked at before they are decoded, stored as WebP."""

from __future__ import annotations

import asyncio
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

from hordenode.blobs.webp import check_whole, is_webp, read_header, without_metadata

MAX_SIDE = 16_383  # WebP's own limit
MAX_PIXELS = 64_000_000
RESULT_QUALITY = 95
LOSSLESS_METHOD = 0  # the quickest
LOSSLESS_PIXELS = 4_194_304  # more would take seconds
QUALITIES = (95, 75, 50, 25)

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


async def result_webp(data: bytes) -> bytes:
    """As `to_webp`; what has to be decoded does not keep the event loop."""
    return to_webp(data) if is_webp(data) else await asyncio.to_thread(to_webp, data)


def to_webp(data: bytes, quality: int = RESULT_QUALITY) -> bytes:
    """A result as WebP; one that already is comes back byte for byte, not decoded. Raises BadImage for a damaged one."""
    if not is_webp(data):
        return _converted(data, quality)
    _inspect_webp(data)
    try:
        check_whole(data)
    except ValueError as error:
        raise BadImage(f"the picture is damaged: {error}") from error
    return data


def source_webp(data: bytes, quality: int) -> bytes:
    """A client's picture as WebP without metadata: where it was taken is nobody's business. Raises BadImage."""
    if not is_webp(data):
        return _converted(data, quality)
    image = _decoded_webp(data)
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return _encoded(image, _inspect_webp(data), quality)
    return without_metadata(data)


def faithful_webp(data: bytes, largest: int) -> bytes:
    """As `source_webp`, with as little loss as `largest` bytes allow: none at best. Raises BadImage."""
    if is_webp(data) and len(kept := source_webp(data, RESULT_QUALITY)) <= largest:
        return kept
    image, info = (_decoded_webp(data), _inspect_webp(data)) if is_webp(data) else _loaded(data)
    small = info.width * info.height <= LOSSLESS_PIXELS and info.format != "JPEG"
    for quality in (None, *QUALITIES) if small else QUALITIES:
        made = _encoded(image, info, quality)
        if len(made) <= largest:
            return made
    raise TooLarge(f"{info.width}x{info.height} pixels of this picture do not fit into {largest} bytes")


def _converted(data: bytes, quality: int) -> bytes:
    image, info = _loaded(data)
    return _encoded(image, info, quality)


def _loaded(data: bytes) -> tuple[Image, ImageInfo]:
    image = _opened(data)
    info = _info(image)
    try:
        image.load()
    except Exception as error:
        raise BadImage("the picture is damaged") from error
    return image, info


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
    """Upright, as cameras mean it, in 8 bits per channel; quality None: without loss."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits of grey: convert() would cut instead of scale
        upright = upright.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    out = io.BytesIO()
    options = {"lossless": True, "method": LOSSLESS_METHOD} if quality is None else {"quality": quality}
    upright.convert("RGBA" if info.alpha else "RGB").save(out, "WEBP", exif=b"", xmp=b"", **options)
    return out.getvalue()
