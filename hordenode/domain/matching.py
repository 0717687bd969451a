"""Why a worker cannot take a request (contract 6): every reason, as the wire's `skipped` names it.

`image_mismatches` and `text_mismatches` read only needs and offer, so a verdict holds for all requests of a signature.
What depends on the prompt or the requester is `candidate_refused`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hordenode.domain.capabilities import EXTENDED_TEXT_BACKENDS, VALIDATED_TEXT_BACKENDS, Agent
from hordenode.domain.entities import Kind
from hordenode.domain.needs import AlchemyNeeds, ImageNeeds, Needs, TextNeeds
from hordenode.domain.spec import Audience

SLOW_IMAGE_SPEED = 500_000.0
DEFAULT_IMAGE_SPEED = 1_000_000.0
DEFAULT_TEXT_SPEED = 1.0
FAST_TEXT_SPEED = 5.0
DEFAULT_FORM_SECONDS = 1.0
SLOW_FORM_SECONDS = 10.0
IMAGE_KEYS_ALWAYS = (
    "bridge_version", "untrusted", "performance", "controlnet", "post-processing", "lora", "nsfw", "unsafe_ip",
    "painting", "img2img", "worker_id", "models",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What the horde knows of a popping worker, beside its offer."""

    worker_id: str
    owner_id: int
    owner_trusted: bool
    maintenance: bool
    speed: float


@dataclass(frozen=True, slots=True)
class ImageOffer:
    """What an image worker says it can do now (contract 6.1, worker_protocol.md 3)."""

    facts: WorkerFacts
    models: frozenset[str]
    agent: Agent
    max_pixels: int = 262_144
    nsfw: bool = True
    allow_img2img: bool = True
    allow_painting: bool = True
    allow_post_processing: bool = True
    allow_controlnet: bool = False
    allow_sdxl_controlnet: bool = False
    allow_lora: bool = False
    extra_slow: bool = False
    limit_max_steps: bool = False
    blacklist: tuple[str, ...] = ()
    require_upfront_kudos: bool = False
    priority_users: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TextOffer:
    """What a text worker says it can do now (contract 6.3, worker_protocol.md 4)."""

    facts: WorkerFacts
    models: tuple[str, ...]
    agent: Agent
    max_length: int = 512
    max_context_length: int = 2048
    nsfw: bool = True
    softprompts: tuple[str, ...] = ()
    extra_slow: bool = False
    blacklist: tuple[str, ...] = ()
    require_upfront_kudos: bool = False
    priority_users: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AlchemyOffer:
    """What an alchemist says it can do now (contract 12, worker_protocol.md 5). It names no models and no blacklist."""

    facts: WorkerFacts
    agent: Agent
    forms: frozenset[str]
    max_tiles: int = 80
    priority_users: frozenset[int] = frozenset()
    models: tuple[str, ...] = ()
    blacklist: tuple[str, ...] = ()
    require_upfront_kudos: bool = False
    extra_slow: bool = False


Offer = ImageOffer | TextOffer | AlchemyOffer


def coarse_speed(kind: Kind, speed: float | None) -> float:
    """Speed as far as matching looks at it, so that a worker's changing measurements share their verdicts."""
    if kind is Kind.ALCHEMY:  # seconds per form
        return DEFAULT_FORM_SECONDS if speed is None or speed < SLOW_FORM_SECONDS else SLOW_FORM_SECONDS
    if kind is Kind.IMAGE:
        return min(DEFAULT_IMAGE_SPEED if speed is None else speed // 1e5 * 1e5, DEFAULT_IMAGE_SPEED)
    return min(DEFAULT_TEXT_SPEED if speed is None else float(int(speed)), FAST_TEXT_SPEED)


def mismatches(needs: Needs, offer: Offer) -> tuple[str, ...]:
    """All reasons of any kind; empty means that the worker can serve requests with these needs."""
    if isinstance(needs, ImageNeeds) and isinstance(offer, ImageOffer):
        return image_mismatches(needs, offer)
    if isinstance(needs, TextNeeds) and isinstance(offer, TextOffer):
        return text_mismatches(needs, offer)
    if isinstance(needs, AlchemyNeeds) and isinstance(offer, AlchemyOffer):
        return alchemy_mismatches(needs, offer)
    return ("models",)


def image_mismatches(needs: ImageNeeds, offer: ImageOffer) -> tuple[str, ...]:
    """Contract 6.1 and 6.2; the order of the reasons is theirs."""
    who = needs.audience
    capable = _image_capable(needs, offer)
    checks = (
        ("nsfw", who.nsfw and not offer.nsfw),
        ("untrusted", who.trusted_workers and not offer.facts.owner_trusted),
        ("worker_id", not targets(who, offer.facts.worker_id)),
        ("models", not _image_models_match(needs, offer)),
        ("max_pixels", needs.pixels > offer.max_pixels),
        ("img2img", needs.source and not offer.allow_img2img),
        ("painting", needs.painting and not offer.allow_painting),
        ("lora", needs.lora and not offer.allow_lora),
        ("controlnet", not _control_allowed(needs, offer)),
        ("post-processing", bool(needs.post_processing) and not offer.allow_post_processing),
        ("performance", _image_too_slow(who, offer)),
        ("bridge_version", not capable),
    )
    return tuple(reason for reason, hit in checks if hit)


def text_mismatches(needs: TextNeeds, offer: TextOffer) -> tuple[str, ...]:
    """Contract 6.3."""
    who = needs.audience
    checks = (
        ("nsfw", who.nsfw and not offer.nsfw),
        ("untrusted", who.trusted_workers and not offer.facts.owner_trusted),
        ("worker_id", not targets(who, offer.facts.worker_id)),
        ("models", bool(who.models) and not set(who.models) & set(offer.models)),
        ("max_context_length", needs.max_context_length > offer.max_context_length),
        ("max_length", needs.max_length > offer.max_length),
        ("bridge_version", not _text_capable(needs, offer)),
        ("matching_softprompt", bool(needs.softprompt) and needs.softprompt not in offer.softprompts),
        ("performance", not who.slow_workers and offer.facts.speed < _required_text_speed(offer.models)),
    )
    return tuple(reason for reason, hit in checks if hit)


def alchemy_mismatches(needs: AlchemyNeeds, offer: AlchemyOffer) -> tuple[str, ...]:
    """Contract 12; of these only `untrusted` is a word that alchemists are told."""
    who = needs.audience
    checks = (
        ("untrusted", who.trusted_workers and not offer.facts.owner_trusted),
        ("forms", needs.form not in offer.forms),
        ("max_tiles", needs.tiles > offer.max_tiles),
        ("performance", not who.slow_workers and offer.facts.speed >= SLOW_FORM_SECONDS),
    )
    return tuple(reason for reason, hit in checks if hit)


def _text_capable(needs: TextNeeds, offer: TextOffer) -> bool:
    if needs.extended and offer.agent.name not in EXTENDED_TEXT_BACKENDS:
        return False
    return not needs.audience.validated_backends or offer.agent.name in VALIDATED_TEXT_BACKENDS


def targets(audience: Audience, worker_id: str) -> bool:
    """Worker targeting: no list, a whitelist with this worker, or a blacklist without it."""
    if not audience.workers:
        return True
    return (worker_id in audience.workers) != audience.worker_blacklist


def candidate_refused(
    offer: Offer, prompt: str, *, trusted: bool, prioritised: bool, kudos: int, price: int
) -> str | None:
    """The reason that this very request is passed over, or None. Kudos in thousandths, above the account's floor."""
    lowered = prompt.lower() if offer.blacklist else ""
    if any(word.lower() in lowered for word in offer.blacklist):
        return "blacklist"
    if offer.require_upfront_kudos and not (trusted or prioritised) and kudos < price:
        return "kudos"
    return None


def count_skipped(
    kind_is_image: bool, found: Iterable[tuple[tuple[str, ...], int]], extra: Mapping[str, int]
) -> dict[str, int]:
    """`skipped` of an empty pop: for each reason the number of requests it hides (contract 6.2, 6.3).

    `found` pairs the mismatches of a signature with its number of requests; `extra` counts the candidates refused.
    """
    counts: dict[str, int] = dict.fromkeys(IMAGE_KEYS_ALWAYS, 0) if kind_is_image else {}
    for reasons, requests in found:
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + requests
    for reason, requests in extra.items():
        counts[reason] = counts.get(reason, 0) + requests
    return counts


@lru_cache(maxsize=1024)
def parameters_in_billions(model: str) -> float | None:
    """Model size read off its name ("…-8B", "8x7b"), None when it does not say (contract 6.3, 10.4)."""
    found = re.search(r"(?<![0-9.a-z])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])", model.lower())
    return None if found is None else float(found[2]) * int(found[1] or 1)


def _required_text_speed(models: tuple[str, ...]) -> float:
    size = parameters_in_billions(models[0]) or 0.0 if models else 20.0
    return 3.0 if size >= 20 else 4.0 if size >= 13 else 5.0


def _image_models_match(needs: ImageNeeds, offer: ImageOffer) -> bool:
    """Contract 6.2; a model that the client names itself is its choice, whatever its name says about inpainting."""
    wanted = needs.audience.models
    if wanted and not offer.models.intersection(wanted):
        return False
    inpainting = {model for model in offer.models if "inpainting" in model.lower()}
    if needs.painting:
        return bool(inpainting) or bool(wanted)
    return not offer.models or inpainting != offer.models or bool(wanted)


def _image_too_slow(who: Audience, offer: ImageOffer) -> bool:
    if not who.slow_workers and offer.facts.speed < SLOW_IMAGE_SPEED:
        return True
    return offer.extra_slow and not who.extra_slow_workers


def _control_allowed(needs: ImageNeeds, offer: ImageOffer) -> bool:
    if needs.control and not offer.allow_controlnet:
        return False
    xl = any("xl" in model.lower() for model in offer.models)
    return not ((needs.qr_code and xl) or needs.transparent) or offer.allow_sdxl_controlnet


def _image_capable(needs: ImageNeeds, offer: ImageOffer) -> bool:
    held = offer.agent.capabilities()
    if held is None:
        return True
    wanted = {
        "r2": needs.r2,
        "img2img": needs.source,
        "inpainting": needs.painting,
        "extra_source_images": needs.extra_sources,
        "lora": needs.lora,
        "lora_versions": needs.lora_versions,
        "textual_inversion": needs.textual_inversion,
        "controlnet": needs.control,
        "image_is_control": needs.image_is_control,
        "return_control_map": needs.return_control_map,
        "post_processing": bool(needs.post_processing),
        "tiling": needs.tiling,
        "hires_fix": needs.hires_fix,
        "clip_skip": needs.clip_skip,
        "layer_diffuse": needs.transparent,
        "qr_code": needs.qr_code,
    }
    if not all(name in held for name, asked in wanted.items() if asked):
        return False
    return all(name in held for name in needs.post_processing) and offer.agent.samples(needs.sampler_name, needs.karras)
