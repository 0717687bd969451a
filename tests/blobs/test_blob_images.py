"""Pictures from outside: refused before they can do harm, otherwise stored as WebP."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hordenode.blobs.images import BadImage, ImageInfo, TooLarge, faithful_webp, inspect, source_webp, to_webp
from hordenode.blobs.webp import read_header


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    gradient = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (gradient, gradient.rotate(180), gradient)).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, body: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("options", "alpha"), [({}, False), ({"lossless": True}, False), ({"lossless": True}, True), ({}, True)]
)
def test_a_webp_stays_byte_for_byte(options: dict[str, Any], alpha: bool) -> None:
    image = picture("RGBA" if alpha else "RGB")
    if alpha:
        image.putalpha(100)
    data = saved(image, "WEBP", **options)
    assert inspect(data) == ImageInfo(40, 30, alpha, "WEBP")
    assert to_webp(data, quality=5) == data


@given(st.integers(1, 300), st.integers(1, 300), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_header_of_a_webp_is_read_as_pillow_reads_it(width: int, height: int, lossless: bool, alpha: bool) -> None:
    image = Image.new("RGBA" if alpha else "RGB", (width, height), (1, 2, 3, 4) if alpha else (1, 2, 3))
    data = saved(image, "WEBP", lossless=lossless)
    header = read_header(data)
    with Image.open(io.BytesIO(data)) as read:
        assert (header.width, header.height) == read.size
        assert header.alpha == (read.mode == "RGBA")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_other_formats_become_webp(kind: str) -> None:
    data = saved(picture(), kind)
    info = inspect(data)
    assert (info.width, info.height, info.format) == (40, 30, kind)
    webp = to_webp(data)
    assert inspect(webp).format == "WEBP"
    with Image.open(io.BytesIO(webp)) as read, Image.open(io.BytesIO(data)) as original:
        difference = np.abs(np.asarray(read.convert("RGB"), int) - np.asarray(original.convert("RGB"), int))
    assert difference.mean() < 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_can_be_converted(mode: str) -> None:
    image = Image.fromarray(np.full((30, 40), 65535, np.uint16)) if mode == "I;16" else picture(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(100)
    webp = to_webp(saved(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert inspect(webp).alpha == (mode in ("LA", "RGBA"))
    if mode == "I;16":
        with Image.open(io.BytesIO(webp)) as read:
            assert read.convert("L").getextrema()[0] == 255


def test_alpha_is_kept() -> None:
    image = picture("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    webp = to_webp(saved(image, "PNG"))
    with Image.open(io.BytesIO(webp)) as read:
        assert read.mode == "RGBA"
        assert read.getchannel("A").getextrema() == image.getchannel("A").getextrema()


def test_photos_stand_upright() -> None:
    image = picture(size=(64, 32))
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    assert inspect(to_webp(saved(image, "JPEG", exif=exif))).width == 32


def test_a_photo_with_a_preview_behind_is_no_animation() -> None:
    data = saved(picture(), "MPO", save_all=True, append_images=[picture(size=(10, 10))])
    with Image.open(io.BytesIO(data)) as read:
        assert getattr(read, "n_frames", 1) == 2
    assert inspect(to_webp(data)) == ImageInfo(40, 30, False, "WEBP")


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF"])
def test_animations_are_refused(kind: str) -> None:
    data = saved(picture(), kind, save_all=True, append_images=[picture().rotate(90)], duration=100)
    for look in (inspect, to_webp):
        with pytest.raises(BadImage, match="animated"):
            look(data)


@pytest.mark.parametrize(
    ("width", "height"), [(16_384, 1), (1, 16_384), (8_001, 8_000), (2**31 - 1, 2**31 - 1), (0, 5)]
)
def test_too_many_pixels_are_refused_before_anything_is_decoded(width: int, height: int) -> None:
    data = png(width, height, body=bytes(1000))
    tracemalloc.start()
    try:
        for look in (inspect, to_webp):
            with pytest.raises(BadImage, match=r"pixels|damaged"):
                look(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_webp_that_claims_to_be_huge_is_refused() -> None:
    data = bytearray(saved(picture("RGBA"), "WEBP", lossless=False, exif=b"Exif\0\0x"))
    assert data[12:16] == b"VP8X"
    data[24:30] = (16_382).to_bytes(3, "little") * 2
    with pytest.raises(BadImage, match="16383x16383 pixels"):
        to_webp(bytes(data))


def test_a_png_with_a_bomb_of_text_is_refused() -> None:
    start, rest = png(1, 1, body=bytes(4))[:33], png(1, 1, body=bytes(4))[33:]
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    with pytest.raises(BadImage, match="damaged"):
        to_webp(start + bomb + rest)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"GIF89a", b"BM", b"\xff\xd8\xff", b"<svg/>", b"II*\0", b"%PDF-1.4"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    for look in (inspect, to_webp):
        with pytest.raises(BadImage):
            look(data)


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG", "BMP"])
def test_a_cut_off_picture_is_refused(kind: str) -> None:
    data = saved(picture(size=(200, 200)), kind)
    with pytest.raises(BadImage, match="damaged"):
        to_webp(data[: len(data) // 2])


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0xx"}], ids=str)
@pytest.mark.parametrize("alpha", [False, True])
def test_a_webp_is_refused_wherever_it_is_cut_off(options: dict[str, Any], alpha: bool) -> None:
    image = picture("RGBA" if alpha else "RGB")
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    data = saved(image, "WEBP", **options)
    whole = [at + more for at in (data.find(b"EXIF"),) for more in (0, 1) if at > 0]  # as far as the picture goes
    for length in set(range(len(data))) - set(whole):
        cut = data[:length]
        honest = cut[:4] + max(0, length - 8).to_bytes(4, "little") + cut[8:]
        for claimed in (cut, honest):
            with pytest.raises(BadImage):
                to_webp(claimed)


def test_a_webp_without_a_picture_or_with_one_of_another_size_is_refused() -> None:
    data = saved(picture("RGBA"), "WEBP", exif=b"Exif\0\0x")
    assert data[12:16] == b"VP8X"
    other = data[:24] + (50).to_bytes(3, "little") + data[27:]
    empty = data[:4] + (22).to_bytes(4, "little") + data[8:30]
    for broken in (other, empty):
        with pytest.raises(BadImage, match="damaged"):
            to_webp(broken)


SAMPLES = [saved(picture(), kind) for kind in ("WEBP", "PNG", "JPEG", "GIF", "BMP")]


@given(st.sampled_from(SAMPLES), st.integers(0, 10_000), st.binary(max_size=20))
@settings(max_examples=300, deadline=None)
def test_damaged_pictures_give_a_picture_or_a_clear_refusal(data: bytes, at: int, damage: bytes) -> None:
    at %= len(data)
    broken = data[:at] + damage + data[at + len(damage) :]
    try:
        assert to_webp(broken)[:4] == b"RIFF"
    except BadImage as error:
        assert str(error)


def test_metadata_is_cut_out_of_a_webp_without_touching_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "my garden"
    plain = saved(picture("RGBA"), "WEBP", lossless=True)
    told = saved(picture("RGBA"), "WEBP", lossless=True, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    assert b"my garden" in told
    cut = source_webp(told, 50)
    assert b"my garden" not in cut and b"xmpmeta" not in cut
    assert source_webp(cut, 50) == cut
    with Image.open(io.BytesIO(cut)) as one, Image.open(io.BytesIO(plain)) as other:
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_faithful_copy_loses_nothing_unless_it_would_be_too_large(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (200, 200, 3), np.uint8))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    data = saved(noise, kind, **options)
    whole, small = faithful_webp(data, 1_000_000), faithful_webp(data, 20_000)
    with Image.open(io.BytesIO(whole)) as one, Image.open(io.BytesIO(data)) as other:
        worst = np.abs(np.asarray(one).astype(int) - np.asarray(other.convert("RGB"))).mean()
        assert worst == 0 if kind != "JPEG" else worst < 40
    assert len(small) <= 20_000 < len(whole)
    with pytest.raises(TooLarge, match="200x200 pixels of this picture do not fit into 100 bytes"):
        faithful_webp(data, 100)
