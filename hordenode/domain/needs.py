"""The requirement signature of a request: all that matching reads, as one hashable value.

Requests with equal needs are matched once (ARCHITECTURE 3.4). Unlike there, the targeted workers are part of it: a
request for one worker would otherwise stand at the head of its lane for all the others, and a search would have to
step over it. The prompt (word blacklists) and the requester (kudos) stay out and are checked per candidate.
"""

from __future__ import annotations

import msgspec

from hordenode.domain.spec import AlchemySpec, Audience, ImageSpec, Spec, TextSpec


class ImageNeeds(msgspec.Struct, frozen=True):
    """What a worker must be able to do for an image request (contract 6.1, 6.2)."""

    audience: Audience
    pixels: int
    accurate_steps: int
    sampler_name: str
    karras: bool
    r2: bool = True
    source: bool = False
    painting: bool = False
    extra_sources: bool = False
    lora: bool = False
    lora_versions: bool = False
    textual_inversion: bool = False
    control: bool = False
    image_is_control: bool = False
    return_control_map: bool = False
    post_processing: tuple[str, ...] = ()
    tiling: bool = False
    hires_fix: bool = False
    clip_skip: bool = False
    transparent: bool = False
    qr_code: bool = False


class TextNeeds(msgspec.Struct, frozen=True):
    """What a worker must be able to do for a text request (contract 6.3)."""

    audience: Audience
    max_length: int
    max_context_length: int
    softprompt: str | None = None
    extended: bool = False


class AlchemyNeeds(msgspec.Struct, frozen=True):
    """What a worker must be able to do for a form (contract 12)."""

    audience: Audience
    form: str
    tiles: int


Needs = ImageNeeds | TextNeeds | AlchemyNeeds


def image_needs(spec: ImageSpec) -> ImageNeeds:
    """The needs of a request; an empty list counts as absent (contract 6.1)."""
    return ImageNeeds(
        audience=spec.audience,
        pixels=spec.width * spec.height,
        accurate_steps=spec.accurate_steps,
        sampler_name=spec.sampler_name,
        karras=spec.karras,
        r2=spec.r2,
        source=spec.source_image is not None,
        painting=spec.source_image is not None and spec.source_processing in ("inpainting", "outpainting"),
        extra_sources=bool(spec.extra_source_images),
        lora=bool(spec.loras),
        lora_versions=any(lora.is_version for lora in spec.loras),
        textual_inversion=bool(spec.tis),
        control=spec.control_type is not None,
        image_is_control=spec.image_is_control,
        return_control_map=spec.return_control_map,
        post_processing=tuple(sorted(spec.post_processing)),
        tiling=spec.tiling,
        hires_fix=spec.hires_fix,
        clip_skip=(spec.clip_skip or 1) > 1,
        transparent=spec.transparent,
        qr_code=spec.workflow == "qr_code",
    )


def text_needs(spec: TextSpec) -> TextNeeds:
    """The needs of a text request."""
    extended = bool(spec.extension)
    return TextNeeds(spec.audience, spec.max_length, spec.max_context_length, spec.softprompt, extended)


def alchemy_needs(spec: AlchemySpec) -> AlchemyNeeds:
    """The needs of a form."""
    return AlchemyNeeds(spec.audience, spec.form, spec.tiles)


def needs_of(spec: Spec) -> Needs:
    """The needs of any request."""
    if isinstance(spec, ImageSpec):
        return image_needs(spec)
    return text_needs(spec) if isinstance(spec, TextSpec) else alchemy_needs(spec)
