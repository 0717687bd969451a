"""How a picture is drawn: in one walk, or for hires_fix in a small one and a large one that starts from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hordenode.engine.files import MB
from hordenode.engine.image.autoencoder import TILE
from hordenode.engine.image.denoiser import Latent
from hordenode.engine.image.samplers import RANGE_SAMPLERS
from hordenode.engine.image.schedule import Levels, Schedule
from hordenode.engine.image.sizes import drawn_size
from hordenode.engine.jobs import ImageJob

USUAL_AREA = 64 * 64  # latents of the pictures that Stable Diffusion 1 was trained on
TILED_AREA = TILE * TILE
IMG2IMG, PAINTING, HIRES = 0.75, 1.0, 0.65  # strengths where a job names none


@dataclass(frozen=True, slots=True)
class Stage:
    """One walk. Sizes in latents; `strength` is the part of the steps that it takes, from the end."""

    width: int
    height: int
    strength: float


def stages(job: ImageJob, width: int, height: int, native_area: int, multiple: int) -> tuple[Stage, ...]:
    """The walks for a picture of this size in latents, whose sides must be multiples of `multiple`."""
    if job.source_image:
        usual = IMG2IMG if job.source_processing == "img2img" else PAINTING
        return (Stage(width, height, usual if job.denoising_strength is None else job.denoising_strength),)
    area = native_area or USUAL_AREA
    if not job.hires_fix or width * height <= area:
        return (Stage(width, height, 1.0),)
    small = drawn_size(width, height, multiple, max_pixels=area)
    again = job.hires_fix_denoising_strength
    return Stage(*small, 1.0), Stage(width, height, HIRES if again is None else again)


def working_mb(walks: tuple[Stage, ...], heads: tuple[int, int], per_pixel: int, factor: int) -> int:
    """About what the largest walk takes beside the weights, in MB.

    `heads`: (how many, at which halving of the latent) of the widest attention, whose scores and their softmax in
    float32 are most of it; `per_pixel`: channels of the decoder's last block, seven of whose planes live at a time
    (both measured on Stable Diffusion 1.5: 1.1 GB and 0.95 GB at 512 px).
    """
    count, level = heads
    area = max(walk.width * walk.height for walk in walks)
    attention = 2 * 4 * count * (area // 4**level) ** 2
    decoding = 7 * 4 * per_pixel * min(area, TILED_AREA) * factor**2
    return int(max(attention, decoding) // MB)


def step_count(steps: int, strength: float) -> int:
    """Of `steps`, those that a walk of this strength takes; at least one."""
    return min(max(int(steps * strength), 1), steps)


def levels(schedule: Schedule, job: ImageJob, strength: float) -> Levels:
    """The noise levels of a walk, the last one 0."""
    sigmas = schedule.sigmas(job.steps, karras=job.karras)[-step_count(job.steps, strength) - 1 :]
    if job.sampler in RANGE_SAMPLERS and len(sigmas) > 2:  # they stop there, so it must be as good as clean
        sigmas[-2] = min(sigmas[-2], schedule.sigma_min)
    return sigmas


def first_strength(schedule: Schedule, sampler: str, sigma: float) -> float:
    """Of the noise that a picture starts from.

    What a model was trained on at this level is a picture of unit variance under noise of sigma. At the highest level,
    where schedules begin that are told to, the k-diffusion samplers leave the picture out; so does diffusers.
    """
    if schedule.begins_at_the_top and sampler.startswith("k_"):
        return sigma
    return float((sigma**2 + 1) ** 0.5)


def enlarged(latent: Latent, width: int, height: int) -> Latent:
    """[n, C, h, w] at another size, bilinear."""
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        for plane in latent.reshape(-1, *latent.shape[2:])
    ]
    return np.stack(planes).reshape(*latent.shape[:2], height, width)


def latent_size(job: ImageJob, step: int, *, square: bool, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) in pixels of what is drawn for a job: multiples of `step` within the model's limits."""
    asked = (math.isqrt(job.width * job.height),) * 2 if square else (job.width, job.height)
    return drawn_size(*asked, step, min_pixels, max_pixels)
