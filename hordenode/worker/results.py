"""From what the engine made to what a horde takes."""

from __future__ import annotations

import io

from msgspec import UNSET
from PIL import Image

from hordenode.engine.jobs import ImageJob, Picture, TextJob, TextResult
from hordenode.protocol import image as wire_image
from hordenode.protocol import text as wire_text
from hordenode.protocol.common import ImageGenMetadata

WEBP_QUALITY = 95
UPLOADED = "R2"
NEGATIVE_MARK = "###"
# Named alike on the wire and by the engine.
KOBOLD = (
    *("temperature", "dynatemp_range", "dynatemp_exponent", "smoothing_factor", "sampler_order"),
    *("top_k", "top_p", "top_a", "min_p", "tfs", "typical", "rep_pen", "rep_pen_range", "rep_pen_slope"),
    *("frmtadsnsp", "frmtrmblln", "frmtrmspch", "frmttriminc", "singleline", "use_default_badwordsids"),
)


def engine_image_job(job: wire_image.ImageJob, priority: int) -> ImageJob:
    """The engine's job for a popped one: one picture per id, seeds counting up from the payload's."""
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
        priority=priority,
    )


def engine_text_job(job: wire_text.TextJob, job_id: str, seed: int, priority: int) -> TextJob:
    """The engine's job for one id of a popped one; parameters that were not given take the engine's defaults."""
    payload = job.payload
    given = {name: getattr(payload, name) for name in KOBOLD}
    return TextJob(
        id=job_id,
        model=job.model or "",
        prompt=payload.prompt or "",
        max_length=payload.max_length,
        max_context_length=payload.max_context_length,
        seed=seed,
        stop_sequences=tuple(payload.stop_sequence or ()),
        priority=priority,
        **{name: value for name, value in given.items() if value is not UNSET},
    )


def encode_webp(picture: Picture) -> bytes:
    """A picture as lossy WebP."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=WEBP_QUALITY, method=4)
    return out.getvalue()


def image_submit(job_id: str, picture: Picture, position: int, batch: int) -> wire_image.ImageSubmit:
    """The submission of an uploaded picture."""
    place = ImageGenMetadata(type="batch_index", value="see_ref", ref=str(position))
    return wire_image.ImageSubmit(
        id=job_id, generation=UPLOADED, seed=picture.seed, gen_metadata=(place,) if batch > 1 else ()
    )


def text_submit(job_id: str, result: TextResult) -> wire_text.TextSubmit:
    """The submission of a text."""
    return wire_text.TextSubmit(id=job_id, generation=result.text, seed=result.seed)


def image_fault(job_id: str) -> wire_image.ImageSubmit:
    return wire_image.ImageSubmit(id=job_id, generation="faulted", seed=0, state="faulted")


def text_fault(job_id: str) -> wire_text.TextSubmit:
    return wire_text.TextSubmit(id=job_id, generation="faulted", state="faulted")
