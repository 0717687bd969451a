"""From a client's request to a spec: defaults filled in, what is ignored left out (contract 3.2)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hordenode.domain.entities import User
from hordenode.domain.spec import (
    Audience,
    ExtraText,
    GenerationSpec,
    ImageSpec,
    Lora,
    TextSpec,
    TextualInversion,
)
from hordenode.protocol.image import ImageParams, ImageRequest
from hordenode.protocol.text import TextParams, TextRequest

DEFAULT_MODEL = "stable_diffusion"
MAX_TARGETED_WORKERS = 5
CONTROL_STEPS, CONTROL_MAX_STEPS = 20, 40


def image_spec(body: ImageRequest, *, default_model_offered: bool) -> ImageSpec:
    """The spec of an image request without its pictures (coordinator/sources.py adds them).

    Absent `models` mean `stable_diffusion`, or any model where nobody offers that one (ARCHITECTURE 3.16).
    """
    params = body.params or ImageParams()
    given = {k: v for k, v in msgspec.structs.asdict(params).items() if v is not UNSET}
    for name, make in (("loras", Lora), ("tis", TextualInversion), ("extra_texts", ExtraText)):
        if name in given:
            given[name] = tuple(_make(make, item) for item in given[name])
    if (steps := _steps(params)) is not None:
        given["steps"] = steps
    if body.models is UNSET:
        models: tuple[str, ...] = (DEFAULT_MODEL,) if default_model_offered else ()
    else:
        models = body.models
    txt2img = body.source_processing == "txt2img"
    return ImageSpec(
        prompt=body.prompt,
        audience=_audience(body, models, nsfw=body.nsfw),
        source_processing="img2img" if txt2img or body.source_processing is UNSET else body.source_processing,
        censor_nsfw=body.censor_nsfw,
        r2=body.r2,
        disable_batching=body.disable_batching or params.workflow == "qr_code",
        **given,
    )


def fitted(spec: GenerationSpec, user: User) -> GenerationSpec:
    """The spec as it is for this user: pictures for education are safe for work, by trusted workers (contract 2.1)."""
    if not user.education or not isinstance(spec, ImageSpec):
        return spec
    return replace(spec, censor_nsfw=True, audience=replace(spec.audience, nsfw=False, trusted_workers=True))


def text_spec(body: TextRequest) -> TextSpec:
    """The spec of a text request; nsfw and extra_slow_workers are ignored for texts (contract 3.2)."""
    params = body.params or TextParams()
    given: dict[str, Any] = {k: v for k, v in msgspec.structs.asdict(params).items() if v is not UNSET}
    own = {name: given.pop(name) for name in ("n", "max_length", "max_context_length") if name in given}
    extension: dict[str, Any] = msgspec.to_builtins(given.pop("hordenode", {}))
    extension.pop("user", None)
    said = (message["content"] for message in extension.get("messages", ()))
    return TextSpec(
        prompt="\n".join(said) or body.prompt,  # so that filters and blacklists see a conversation
        audience=_audience(body, body.models, nsfw=False),
        softprompt=body.softprompt or None,
        sampling=given,
        extension={name: value for name, value in extension.items() if value not in ((), [])},
        **own,
    )


def _steps(params: ImageParams) -> int | None:
    if params.control_type is UNSET:
        return params.steps or None
    return min(params.steps or CONTROL_STEPS, CONTROL_MAX_STEPS)


def _make(kind: type, item: Any) -> Any:
    members = msgspec.structs.asdict(item)
    return kind(**{name: value for name, value in members.items() if value is not UNSET})


def _audience(body: ImageRequest | TextRequest, models: tuple[str, ...], *, nsfw: bool) -> Audience:
    return Audience(
        models=tuple(dict.fromkeys(models)),
        workers=body.workers[:MAX_TARGETED_WORKERS],
        worker_blacklist=body.worker_blacklist,
        trusted_workers=body.trusted_workers,
        validated_backends=body.validated_backends,
        slow_workers=body.slow_workers,
        extra_slow_workers=body.extra_slow_workers and isinstance(body, ImageRequest),
        nsfw=nsfw,
    )
