"""From a stored spec to what a worker gets (contract 7)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from hordenode.domain.matching import ImageOffer, Offer
from hordenode.domain.spec import ImageSpec, TextSpec
from hordenode.protocol.common import ExtraText
from hordenode.protocol.extension import TextExtension
from hordenode.protocol.image import ImageJobPayload, LoraRef, TextualInversionRef
from hordenode.protocol.text import TextJobPayload


def pick_model(wanted: tuple[str, ...], offer: Offer, draw: int) -> str:
    """A random one of the models that both sides name; `draw` is the randomness."""
    offered = sorted(offer.models) if isinstance(offer, ImageOffer) else list(offer.models)
    both = [model for model in offered if model in wanted] if wanted else offered
    return both[draw % len(both)] if both else ""


def image_payload(spec: ImageSpec, seed: int, count: int) -> ImageJobPayload:
    """The payload of `count` jobs that share one seed."""
    return ImageJobPayload(
        prompt=spec.prompt,
        ddim_steps=spec.steps,
        n_iter=count,
        use_nsfw_censor=True if spec.censor_nsfw and not spec.audience.nsfw else UNSET,
        seed=str(seed),
        sampler_name=spec.sampler_name,
        cfg_scale=spec.cfg_scale,
        height=spec.height,
        width=spec.width,
        karras=spec.karras,
        tiling=spec.tiling,
        hires_fix=spec.hires_fix,
        transparent=spec.transparent,
        image_is_control=spec.image_is_control,
        return_control_map=spec.return_control_map,
        control_type=_given(spec.control_type),
        denoising_strength=_given(spec.denoising_strength),
        hires_fix_denoising_strength=_given(spec.hires_fix_denoising_strength),
        post_processing=spec.post_processing or UNSET,
        clip_skip=_given(spec.clip_skip),
        facefixer_strength=_given(spec.facefixer_strength),
        loras=_each(spec.loras, LoraRef),
        tis=_each(spec.tis, TextualInversionRef),
        special=_given(spec.special),
        extra_texts=_each(spec.extra_texts, ExtraText),
        workflow=_given(spec.workflow),
    )


def text_payload(spec: TextSpec, user: str = "") -> TextJobPayload:
    """The payload of a text job, shaped as a KoboldAI generate call. `user`: told to a worker in the same process."""
    extension = spec.extension | ({"user": user} if user else {})
    fixed = {
        "prompt": spec.prompt,
        "n": 1,
        "max_length": spec.max_length,
        "max_context_length": spec.max_context_length,
    }
    extended = {"hordenode": msgspec.convert(extension, TextExtension)} if extension else {}
    return TextJobPayload(**(spec.sampling | fixed | extended))


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def _each(items: tuple[Any, ...], kind: type) -> Any:
    """Spec values as wire structs; members that were not given stay away."""
    if not items:
        return UNSET
    return tuple(kind(**_members(item)) for item in items)


def _members(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__ if getattr(item, name) is not None}
