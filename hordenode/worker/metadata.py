"""How a picture was made, in the picture: the text that A1111-compatible tools read from EXIF."""

from __future__ import annotations

from PIL import Image

from hordenode.domain.samplers import SAMPLER_NAMES
from hordenode.engine.jobs import ImageJob, Picture
from hordenode.version import __version__

# Exif 2.32: tag numbers, and the eight bytes that name a comment's encoding.
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
ENCODING = b"UNICODE\0"


def parameters(job: ImageJob, picture: Picture) -> str:
    """The lines: prompt, negative prompt, and the settings as `name: value` with commas between."""
    settings = {
        "Steps": job.steps,
        "Sampler": SAMPLER_NAMES.get(job.sampler, job.sampler),
        "Schedule type": "Karras" if job.karras else "Automatic",
        "CFG scale": f"{job.cfg_scale:g}",
        "Seed": picture.seed,
        "Size": f"{job.width}x{job.height}",
        "Model": _quoted(job.model),
    }
    if job.source_image and job.denoising_strength is not None:
        settings["Denoising strength"] = f"{job.denoising_strength:g}"
    if job.clip_skip > 1:
        settings["Clip skip"] = job.clip_skip
    if job.tiling:
        settings["Tiling"] = True
    if job.hires_fix:
        settings["Hires upscaler"] = "Latent"
    settings["Version"] = f"hordenode {__version__}"
    lines = [job.prompt, f"Negative prompt: {job.negative_prompt}" if job.negative_prompt else ""]
    return "\n".join(
        [line for line in lines if line] + [", ".join(f"{key}: {value}" for key, value in settings.items())]
    )


def user_comment(text: str) -> bytes:
    """An EXIF block with this comment."""
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ENCODING + text.encode("utf-16-be")
    return exif.tobytes()


def _quoted(value: str) -> str:
    """As those tools quote values that would end early."""
    return f'"{value}"' if any(mark in value for mark in ",:\n") else value
