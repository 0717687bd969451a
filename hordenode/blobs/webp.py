"""What the header of a WebP file says, without a decoder: that one would first get memory for the size it claims.

Layout: https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_ALPHA, _ANIMATION = 0x10, 0x02
_METADATA_FLAGS = 0x08 | 0x04
_METADATA = (b"EXIF", b"XMP ")
_FRAME_HEAD = 10  # bytes of a lossy frame before its first partition


@dataclass(frozen=True, slots=True)
class WebpHeader:
    """Sizes in pixels."""

    width: int
    height: int
    alpha: bool
    animated: bool


def is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_header(data: bytes) -> WebpHeader:
    """The header of a file of which `is_webp` is true. ValueError when it is damaged or cut off."""
    if len(data) < 30 or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ValueError("the file is cut off")
    kind = data[12:16]
    if kind == _EXTENDED:
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return WebpHeader(width, height, bool(data[20] & _ALPHA), bool(data[20] & _ANIMATION))
    if kind == _LOSSLESS and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")  # 14 bits width - 1, 14 bits height - 1, alpha, version
        return WebpHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1), animated=False)
    if kind == _LOSSY and data[23:26] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))  # 2 bits: scaling
        return WebpHeader(width, height, alpha=False, animated=False)
    raise ValueError("the header is damaged")


def check_whole(data: bytes) -> None:
    """That every byte of a still picture is there, as far as that shows without decoding; ValueError otherwise.

    Each chunk must lie within the file, one of them must hold the picture, and that one must be as large as the header
    says.
    """
    header = read_header(data)
    end = int.from_bytes(data[4:8], "little") + 8
    after, pictures = 12, 0
    for kind, at, size in _chunks(data):
        after = at + size
        if kind in (_LOSSY, _LOSSLESS) and after <= end:
            pictures += 1
            if _frame_size(data, kind, at, size) != (header.width, header.height):
                raise ValueError("the header is damaged")
    if after > end or end - after > 1:  # one byte makes the number of bytes even
        raise ValueError("the file is cut off")
    if pictures != 1:
        raise ValueError("there is not one picture in it")


def _frame_size(data: bytes, kind: bytes, at: int, size: int) -> tuple[int, int]:
    """Width and height as the frame itself says them. ValueError for what is no key frame, or cannot be whole."""
    if kind == _LOSSLESS and size > 5 and data[at] == 0x2F and not data[at + 4] >> 5:  # version 0
        bits = int.from_bytes(data[at + 1 : at + 5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == _LOSSY and size > _FRAME_HEAD and data[at + 3 : at + 6] == b"\x9d\x01\x2a" and not data[at] & 1:
        first_partition = int.from_bytes(data[at : at + 3], "little") >> 5
        if _FRAME_HEAD + first_partition <= size:
            width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (at + 6, at + 8))
            return width, height
    raise ValueError("the header is damaged")


def without_metadata(data: bytes) -> bytes:
    """The same picture without EXIF and XMP, pixels untouched. For a file that `read_header` has read."""
    kept: list[bytes] = []
    for kind, at, size in _chunks(data):
        chunk = data[at - 8 : at + size + size % 2]
        if kind == _EXTENDED:
            chunk = chunk[:8] + bytes([chunk[8] & ~_METADATA_FLAGS]) + chunk[9:]
        if kind not in _METADATA:
            kept.append(chunk)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and size in bytes of what each chunk holds; the last one may be cut off."""
    end = int.from_bytes(data[4:8], "little") + 8
    at = 20
    while at <= end:
        size = int.from_bytes(data[at - 4 : at], "little")
        yield data[at - 8 : at - 4], at, size
        at += size + size % 2 + 8
