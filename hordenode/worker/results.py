"""From what the engine made to what a horde takes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from PIL import Image

from hordenode.engine.jobs import (
    AlchemyJob,
    AlchemyResult,
    Constraint,
    ImageJob,
    Likely,
    Message,
    Picture,
    TextJob,
    TextResult,
    TokenLikelihood,
)
from hordenode.protocol import alchemy as wire_alchemy
from hordenode.protocol import extension as wire_extension
from hordenode.protocol import image as wire_image
from hordenode.protocol import text as wire_text
from hordenode.protocol.common import ImageGenMetadata
from hordenode.protocol.extension import KINDS, TextExtension, TextMade, given
from hordenode.worker.metadata import user_comment

WEBP_QUALITY = 95
UPLOADED = "R2"
NEGATIVE_MARK = "###"
UNCHECKED = "censor_nsfw: this worker has no safety model, so the picture was not checked"

T = TypeVar("T")
U = TypeVar("U")
# Named alike on the wire and by the engine.
KOBOLD = (
    *("temperature", "dynatemp_range", "dynatemp_exponent", "smoothing_factor", "sampler_order"),
    *("top_k", "top_p", "top_a", "min_p", "tfs", "typical", "rep_pen", "rep_pen_range", "rep_pen_slope"),
    *("frmtadsnsp", "frmtrmblln", "frmtrmspch", "frmttriminc", "singleline", "use_default_badwordsids"),
)


@dataclass(frozen=True, slots=True)
class Sources:
    """The pictures of a popped job, fetched. `lost`: which of them could not be."""

    image: bytes = b""
    mask: bytes = b""
    lost: tuple[Literal["source_image", "source_mask"], ...] = ()


def engine_image_job(
    job: wire_image.ImageJob, sources: Sources, priority: int, *, preview_every: int = 0, safe: bool = False
) -> ImageJob:
    """The engine's job for a popped one: one picture per id, seeds counting up from the payload's.

    safe: the worker offers nothing that is not safe for work, whatever the job says.
    """
    payload = job.payload
    prompt, _, negative = (payload.prompt or "").partition(NEGATIVE_MARK)
    seed = int(payload.seed or 0)
    return ImageJob(
        id=job.id or "",
        model=job.model or "",
        prompt=prompt.strip(),
        negative_prompt=negative.strip(),
        seeds=tuple((seed + i) % 2**32 for i in range(len(job.ids))),
        width=payload.width,
        height=payload.height,
        steps=payload.ddim_steps,
        cfg_scale=payload.cfg_scale,
        sampler=payload.sampler_name,
        karras=payload.karras,
        clip_skip=_given(payload.clip_skip, 1),
        source_image=sources.image,
        source_mask=sources.mask,
        source_processing=job.source_processing,
        denoising_strength=_given(payload.denoising_strength, None),
        hires_fix=payload.hires_fix,
        hires_fix_denoising_strength=_given(payload.hires_fix_denoising_strength, None),
        tiling=payload.tiling,
        censor_nsfw=safe or payload.use_nsfw_censor is True,
        preview_every=preview_every,
        priority=priority,
    )


def engine_text_job(job: wire_text.TextJob, job_id: str, seed: int, priority: int) -> TextJob:
    """The engine's job for one id of a popped one; parameters that were not given take the engine's defaults."""
    payload = job.payload
    kobold = {name: getattr(payload, name) for name in KOBOLD}
    return TextJob(
        id=job_id,
        model=job.model or "",
        prompt=payload.prompt or "",
        max_length=payload.max_length,
        max_context_length=payload.max_context_length,
        seed=seed,
        stop_sequences=tuple(payload.stop_sequence or ()),
        priority=priority,
        **{name: value for name, value in kobold.items() if value is not UNSET},
        **({} if payload.hordenode is UNSET else _extended(payload.hordenode)),
    )


def _extended(extension: TextExtension) -> dict[str, Any]:
    """The engine's fields for what v2 has no words for."""
    members = given(extension)
    made = {name: members[name] for name in members.keys() - {*KINDS, "messages", "logit_bias"}}
    for kind in members.keys() & {*KINDS}:
        definition = members[kind] if kind != "json_schema" else msgspec.json.encode(members[kind]).decode()
        made["constraint"] = Constraint(kind, definition)
    if "messages" in members:
        made["messages"] = tuple(Message(message.role, message.content) for message in extension.messages)
    if "logit_bias" in members:
        made["logit_bias"] = tuple((int(token), float(change)) for token, change in members["logit_bias"].items())
    return made


def engine_alchemy_job(form: wire_alchemy.AlchemyJobForm, image: bytes, priority: int) -> AlchemyJob:
    """The engine's job for a popped form."""
    return AlchemyJob(form.id, form.form, image, _given(form.payload, {}), priority)


def encode_webp(picture: Picture, parameters: str = "") -> bytes:
    """A picture as lossy WebP; `parameters` go into its EXIF user comment."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    if picture.alpha:
        image.putalpha(Image.frombytes("L", image.size, picture.alpha))
    extra = {"exif": user_comment(parameters)} if parameters else {}
    out = io.BytesIO()
    image.save(out, "WEBP", quality=WEBP_QUALITY, method=4, **extra)
    return out.getvalue()


def encode_preview(picture: Picture) -> bytes:
    """A small picture as WebP, quickly: some hundreds of bytes in a millisecond."""
    out = io.BytesIO()
    Image.frombytes("RGB", (picture.width, picture.height), picture.rgb).save(out, "WEBP", quality=60, method=0)
    return out.getvalue()


def image_submit(
    job_id: str, picture: Picture, remarks: tuple[ImageGenMetadata, ...], position: int, batch: int
) -> wire_image.ImageSubmit:
    """The submission of an uploaded picture."""
    found = list(remarks)
    if picture.censored:
        found.append(ImageGenMetadata(type="censorship", value="nsfw"))
    elif picture.nsfw:
        found.append(ImageGenMetadata(type="information", value="nsfw"))
    if batch > 1:
        found.append(ImageGenMetadata(type="batch_index", value="see_ref", ref=str(position)))
    return wire_image.ImageSubmit(
        id=job_id,
        generation=UPLOADED,
        seed=picture.seed,
        state="censored" if picture.censored else "ok",
        censored=picture.censored,
        gen_metadata=tuple(found),
    )


def remarks_on(job: ImageJob, sources: Sources, picture: Picture) -> tuple[ImageGenMetadata, ...]:
    """What the client should know about how a job was done."""
    found = [ImageGenMetadata(type=name, value="download_failed") for name in sources.lost]
    if job.censor_nsfw and picture.nsfw is None:
        found.append(ImageGenMetadata(type="information", value="see_ref", ref=UNCHECKED))
    return tuple(found)


def text_submit(job_id: str, result: TextResult) -> wire_text.TextSubmit:
    """The submission of a text, with how likely its tokens were where that was asked."""
    logprobs = tuple(wire_likelihood(each) for each in result.logprobs)
    more = TextMade(logprobs=logprobs) if logprobs else UNSET
    return wire_text.TextSubmit(id=job_id, generation=result.text, seed=result.seed, hordenode=more)


def wire_likelihood(told: TokenLikelihood) -> wire_extension.TokenLikelihood:
    """How likely a token was, as hordes say it."""
    top = tuple(wire_extension.LikelyToken(**_likely(each)) for each in told.top)
    return wire_extension.TokenLikelihood(**_likely(told.chosen), top=top)


def _likely(told: Likely) -> dict[str, Any]:
    text = told.text.replace("\0", "\ufffd")[: wire_extension.LONGEST_TOKEN]
    return {"token": told.token, "text": text, "logprob": min(0.0, max(wire_extension.LEAST_LOGPROB, told.logprob))}


def form_submit(form: wire_alchemy.AlchemyJobForm, result: AlchemyResult) -> wire_alchemy.AlchemySubmit:
    """The submission of a form; of an uploaded picture where it made one."""
    value = result.value if result.picture is None else UPLOADED
    return wire_alchemy.AlchemySubmit(id=form.id, result={form.form: value})


def _given(value: T | UnsetType, otherwise: U) -> T | U:
    return otherwise if value is UNSET else value
