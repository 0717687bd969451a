"""Source images of requests, by URL or base64: looked at, stripped of metadata and kept for the workers (contract 4.1).

They are fetched once, here: workers get a signed link to our copy, whatever the client named.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.blobs.images import BadImage, ImageInfo, TooLarge, UnknownFormat, faithful_webp, inspect, source_webp
from hordenode.coordinator import files
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.downloads import download
from hordenode.coordinator.links import SOURCES
from hordenode.domain.forms import MAX_TILES, tiles_of
from hordenode.domain.spec import ImageSpec, SourceImage
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageRequest

MAX_PIXELS = 3072 * 3072
QUALITY = 50
MAX_BYTES = 5 * 2**20  # alchemists of other programs take no larger file (worker_protocol.md 7)
ANNOUNCED = SourceImage()  # stands for a picture that the rules may count on and that is not fetched yet


@dataclass(frozen=True, slots=True)
class Given:
    """A picture as the client sent it. `field`: its name in messages; `faithful`: keep all that can be seen in it."""

    field: str
    value: str
    faithful: bool = False

    @property
    def by_url(self) -> bool:
        return self.value.startswith("http")


def announced(body: ImageRequest, spec: ImageSpec) -> ImageSpec:
    """The spec as the rules look at it, before any of its pictures is fetched."""
    return replace(
        spec,
        source_image=None if body.source_image is UNSET else ANNOUNCED,
        source_mask=None if body.source_mask is UNSET else ANNOUNCED,
        extra_source_images=tuple(
            SourceImage(strength=extra.strength) for extra in body.extra_source_images if extra.image is not UNSET
        ),
    )


def pictured(spec: ImageSpec) -> bool:
    """Whether the request has pictures."""
    return spec.source_image is not None or spec.source_mask is not None or bool(spec.extra_source_images)


@asynccontextmanager
async def stored(co: Coordinator, body: ImageRequest, spec: ImageSpec) -> AsyncIterator[ImageSpec]:
    """The spec with its pictures stored; they are removed again when the request is refused."""
    keys: list[str] = []
    async with _kept(co, keys):
        yield await _with_pictures(co, body, spec, keys)


@asynccontextmanager
async def stored_one(co: Coordinator, value: str) -> AsyncIterator[tuple[SourceImage, int]]:
    """The picture of an alchemy request and its size in tiles; removed again when the request is refused."""
    keys: list[str] = []
    async with _kept(co, keys):
        source, info = await _store(co, Given("source image", value, faithful=True), keys)
        yield source, tiles_of(info.width, info.height)


def blobs_of(spec: ImageSpec) -> list[str]:
    """Keys of the pictures that are kept for a request."""
    sources = (spec.source_image, spec.source_mask, *spec.extra_source_images)
    return [source.blob for source in sources if source is not None and source.blob is not None]


@asynccontextmanager
async def _kept(co: Coordinator, keys: list[str]) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        for key in keys:
            await files.remove(co, SOURCES, key)
        raise


async def _with_pictures(co: Coordinator, body: ImageRequest, spec: ImageSpec, keys: list[str]) -> ImageSpec:
    extra = []
    for image in body.extra_source_images:
        if image.image is not UNSET:
            stored_extra, _ = await _store(co, Given("extra source image", image.image), keys)
            extra.append(replace(stored_extra, strength=image.strength))
    mask: SourceImage | None = None
    source: SourceImage | None = None
    if body.source_mask is not UNSET:
        mask, _ = await _store(co, Given("source mask", body.source_mask), keys)
    if body.source_image is not UNSET:
        source, info = await _store(co, Given("source image", body.source_image), keys)
        if body.source_processing == "inpainting" and mask is None and not info.alpha:
            raise HordeError("InpaintingMissingMask")
    return replace(spec, source_image=source, source_mask=mask, extra_source_images=tuple(extra))


async def _store(co: Coordinator, given: Given, keys: list[str]) -> tuple[SourceImage, ImageInfo]:
    data = await download(co.guard, given.value, given.field) if given.by_url else _decoded(given)
    async with co.decoding:
        info, webp = await asyncio.to_thread(_convert, given, data)
    key = f"{co.ids.uuid()}.webp"
    keys.append(key)
    await files.keep(co, SOURCES, key, webp)
    return SourceImage(blob=key), info


def _decoded(given: Given) -> bytes:
    try:
        return base64.b64decode(given.value.encode(), validate=False)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise HordeError("ImageValidationFailed", field=given.field) from error


def _convert(given: Given, data: bytes) -> tuple[ImageInfo, bytes]:
    """Look at the header, then decode. Each thing that can be wrong has its rc."""
    try:
        info = inspect(data)
        if not _fits(given, info):
            raise HordeError("SourceImageResolutionExceeded", field=given.field)
        return info, faithful_webp(data, MAX_BYTES) if given.faithful else source_webp(data, QUALITY)
    except TooLarge as error:
        raise HordeError("SourceImageResolutionExceeded", field=given.field) from error
    except UnknownFormat as error:
        rc = "SourceImageUrlInvalid" if given.by_url else "ImageValidationFailed"
        raise HordeError(rc, field=given.field) from error
    except BadImage as error:
        raise HordeError("ImageValidationFailed", field=given.field) from error


def _fits(given: Given, info: ImageInfo) -> bool:
    if given.faithful:
        return tiles_of(info.width, info.height) <= MAX_TILES
    return info.width * info.height <= MAX_PIXELS
