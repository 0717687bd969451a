"""Source images of requests: base64 ones become blobs that workers fetch by a signed link (contract 4.1).

A picture given by URL is handed to workers as it is; fetching it here waits for the guard against private targets.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from msgspec import UNSET, UnsetType

from hordenode.blobs.images import BadImage, ImageInfo, inspect, to_webp
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.links import SOURCES
from hordenode.domain.spec import ImageSpec, SourceImage
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageRequest

MAX_PIXELS = 3072 * 3072
QUALITY = 50


@dataclass(frozen=True, slots=True)
class _Given:
    """A picture as the client sent it, and the name of its field for messages."""

    field: str
    value: str
    strength: float = 1.0


@asynccontextmanager
async def stored(co: Coordinator, body: ImageRequest, spec: ImageSpec) -> AsyncIterator[ImageSpec]:
    """The spec with its pictures stored; they are removed again when the request is refused."""
    if body.source_image is UNSET and body.source_mask is UNSET and not body.extra_source_images:
        yield spec
        return
    keys: list[str] = []
    try:
        yield await _with_pictures(co, body, spec, keys)
    except BaseException:
        for key in keys:
            await co.blobs.delete(SOURCES, key)
        raise
    if body.dry_run:
        for key in keys:
            await co.blobs.delete(SOURCES, key)


async def _with_pictures(co: Coordinator, body: ImageRequest, spec: ImageSpec, keys: list[str]) -> ImageSpec:
    extra = [
        await _store(co, _Given("extra source image", image.image, image.strength), keys)
        for image in body.extra_source_images
        if image.image is not UNSET
    ]
    mask = await _optional(co, "source mask", body.source_mask, keys)
    source = await _optional(co, "source image", body.source_image, keys, needs_alpha=_alpha_needed(body))
    return replace(spec, source_image=source, source_mask=mask, extra_source_images=tuple(extra))


def _alpha_needed(body: ImageRequest) -> bool:
    """Inpainting without a mask needs one in the picture's alpha channel."""
    return body.source_processing == "inpainting" and body.source_mask is UNSET


async def _optional(
    co: Coordinator, field: str, value: str | UnsetType, keys: list[str], *, needs_alpha: bool = False
) -> SourceImage | None:
    return None if value is UNSET else await _store(co, _Given(field, value), keys, needs_alpha=needs_alpha)


async def _store(co: Coordinator, given: _Given, keys: list[str], *, needs_alpha: bool = False) -> SourceImage:
    if given.value.startswith("http"):
        return SourceImage(url=given.value, strength=given.strength)
    info, webp = await asyncio.to_thread(_convert, given)
    if needs_alpha and not info.alpha:
        raise HordeError("InpaintingMissingMask")
    key = f"{co.ids.uuid()}.webp"
    await co.blobs.put(SOURCES, key, webp)
    keys.append(key)
    return SourceImage(blob=key, strength=given.strength)


def _convert(given: _Given) -> tuple[ImageInfo, bytes]:
    try:
        data = base64.b64decode(given.value.encode(), validate=False)
        info = inspect(data)
        if info.width * info.height > MAX_PIXELS:
            raise HordeError("SourceImageResolutionExceeded", field=given.field)
        return info, to_webp(data, quality=QUALITY)
    except (BadImage, binascii.Error, UnicodeEncodeError) as error:
        raise HordeError("ImageValidationFailed", field=given.field) from error
