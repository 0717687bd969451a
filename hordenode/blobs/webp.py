"""What the header of a WebP file says, without a decoder: that one would first get memory for the size it claims.

Layout: https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

from dataclasses import dataclass

_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_ALPHA, _ANIMATION = 0x10, 0x02
_METADATA_FLAGS = 0x08 | 0x04
_METADATA = (b"EXIF", b"XMP ")


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


def without_metadata(data: bytes) -> bytes:
    """The same picture without EXIF and XMP, pixels untouched. For a file that `read_header` has read."""
    end = int.from_bytes(data[4:8], "little") + 8
    kept: list[bytes] = []
    at = 12
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at : at + 8 + size + size % 2]
        if chunk[:4] == _EXTENDED:
            chunk = chunk[:8] + bytes([chunk[8] & ~_METADATA_FLAGS]) + chunk[9:]
        if chunk[:4] not in _METADATA:
            kept.append(chunk)
        at += 8 + size + size % 2
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body
