"""Finished jobs as status shows them (contract 9)."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import UNSET

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.links import RESULTS, result_key, result_url
from hordenode.domain.entities import Job, WaitingPrompt
from hordenode.domain.spec import ImageSpec
from hordenode.protocol.common import GenMetadata
from hordenode.protocol.extension import TextMade, TokenLikelihood
from hordenode.protocol.image import ImageGeneration
from hordenode.protocol.text import TextGeneration

UPLOADED = "R2"  # what a worker sends in place of a picture that it has uploaded
MISSING = "N/A"
_METADATA = msgspec.json.Decoder(tuple[GenMetadata, ...])
_LOGPROBS = msgspec.json.Decoder(tuple[TokenLikelihood, ...])


async def image_generations(
    co: Coordinator, wp: WaitingPrompt, done: list[tuple[Job, str]], base_url: str
) -> tuple[ImageGeneration, ...]:
    """The delivered images: links, or base64 when the request had `r2: false`."""
    if not done:
        return ()
    spec = co.specs.known(wp.id) or co.db.glance(lambda tx: co.specs.of(tx, wp))
    r2 = isinstance(spec, ImageSpec) and spec.r2
    return tuple([await _image(co, job, name, base_url if r2 else None) for job, name in done])


def text_generations(done: list[tuple[Job, str]]) -> tuple[TextGeneration, ...]:
    """The delivered texts."""
    return tuple(
        TextGeneration(
            text=job.result or "",
            seed=job.seed or 0,
            gen_metadata=_metadata(job),
            worker_id=job.worker_id,
            worker_name=name,
            model=job.model,
            state=_text_state(job),
            hordenode=TextMade(logprobs=_LOGPROBS.decode(job.logprobs)) if job.logprobs else UNSET,
        )
        for job, name in done
    )


def alchemy_result(co: Coordinator, job: Job, base_url: str) -> dict[str, Any]:
    """What an alchemist said of a form; `R2` becomes a link to the picture that it uploaded."""
    result: dict[str, Any] = msgspec.json.decode(job.result or "{}")
    return {name: result_url(co, base_url, job.id) if value == UPLOADED else value for name, value in result.items()}


async def _image(co: Coordinator, job: Job, worker_name: str, base_url: str | None) -> ImageGeneration:
    if base_url is not None:
        img = result_url(co, base_url, job.id)
    else:
        img = co.inline.get((RESULTS, result_key(job.id))) or await _base64(co, job)
    return ImageGeneration(
        img=img,
        seed=str(job.seed or 0),
        id=job.id,
        censored=job.censored,
        gen_metadata=_metadata(job),
        worker_id=job.worker_id,
        worker_name=worker_name,
        model=job.model,
    )


async def _base64(co: Coordinator, job: Job) -> str:
    data = await co.blobs.get(RESULTS, result_key(job.id))
    return MISSING if data is None else base64.b64encode(data).decode()


def _metadata(job: Job) -> tuple[GenMetadata, ...]:
    return _METADATA.decode(job.gen_metadata) if job.gen_metadata else ()


def _text_state(job: Job) -> str:
    return job.outcome if job.outcome in ("censored", "csam") else "ok"
