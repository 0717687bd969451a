"""A text-to-image model in the Stable Diffusion layout, as ONNX: tokenizer, text_encoder, unet, vae_decoder, scheduler.

prompt -> states; noise -> (schedule × sampler × denoiser) -> latent -> pixels -> the size that was asked for
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
from PIL import Image

from hordenode.catalog import ImageModel
from hordenode.engine.files import read_json
from hordenode.engine.image.decoder import Decoder, Pixels
from hordenode.engine.image.denoiser import DENOISERS, Latent
from hordenode.engine.image.prompt import PromptEncoder, PromptTokenizer, States
from hordenode.engine.image.samplers import SAMPLERS
from hordenode.engine.image.schedule import Schedule, SchedulerConfig, UnsupportedSchedule
from hordenode.engine.image.sizes import check_size, drawn_size
from hordenode.engine.image.unet import Unet
from hordenode.engine.jobs import ImageJob, ImageResult, ModelFileError, Picture, Progress, UnsupportedJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.seeds import seeded

DEFAULT_DEPTH = 4


class UnetConfig(msgspec.Struct, frozen=True):
    """What matters of unet/config.json: each further block halves the latent."""

    block_out_channels: list[int] | None = None

    @property
    def multiple(self) -> int:
        """Of what number the sides of a latent must be multiples."""
        depth = len(self.block_out_channels) if self.block_out_channels else DEFAULT_DEPTH
        return int(2 ** (depth - 1))


class ImagePipeline:
    """A loaded model, ready to draw. Pictures are drawn one by one, so that a seed's bytes depend on nothing else."""

    def __init__(self, model: ImageModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        folder = model.path
        self._model = model
        scheduler = folder / "scheduler" / "scheduler_config.json"
        config = read_json(scheduler, SchedulerConfig)
        try:
            self._schedule = Schedule(config)
            self._denoiser = DENOISERS[config.prediction_type]
        except (UnsupportedSchedule, KeyError) as error:
            raise ModelFileError(scheduler, f"asks for what is not supported: {error}", "Use another model.") from error
        self._step = read_json(folder / "unet" / "config.json", UnetConfig).multiple
        tokenizer = PromptTokenizer(folder / "tokenizer")
        self._prompts = PromptEncoder(tokenizer, runtime.open(folder / "text_encoder" / "model.onnx"))
        self._unet = Unet(runtime.open(folder / "unet" / "model.onnx"))
        self._decoder = Decoder(runtime.open(folder / "vae_decoder" / "model.onnx"), folder / "vae_decoder")

    def draw(self, job: ImageJob, report: Callable[[Progress], None]) -> ImageResult:
        """All pictures of a job. Raises UnsupportedJob, and what `report` raises."""
        _check(job)
        states = self._prompts.encode(job.negative_prompt, job.prompt)
        total = job.steps * len(job.seeds)
        pictures = []
        for index, seed in enumerate(job.seeds):

            def step_done(step: int, before: int = job.steps * index) -> None:
                report(Progress(job.id, before + step, total))

            pixels = self._draw_one(job, seed, states, step_done)
            pictures.append(Picture(job.width, job.height, _resized(pixels, job.width, job.height), seed))
        return ImageResult(job.id, tuple(pictures))

    def _draw_one(self, job: ImageJob, seed: int, states: States, progress: Callable[[int], None]) -> Pixels:
        random = seeded(seed)
        shape = self._latent_shape(job)

        def noise() -> Latent:
            return random.standard_normal(shape, np.float32)

        denoise = self._denoiser(self._unet.guided(states[:1], states[1:], job.cfg_scale), self._schedule)
        sigmas = self._schedule.sigmas(job.steps, karras=job.karras)
        # What the model was trained on at this level: a picture of unit variance under noise of sigma.
        start = noise() * np.float32((sigmas[0] ** 2 + 1) ** 0.5)
        latent = SAMPLERS[job.sampler](denoise, start, sigmas, noise, progress)
        return self._decoder.decode(latent)

    def _latent_shape(self, job: ImageJob) -> tuple[int, int, int, int]:
        model, factor = self._model, self._decoder.factor
        asked = (math.isqrt(job.width * job.height),) * 2 if model.square else (job.width, job.height)
        width, height = drawn_size(*asked, self._step * factor, model.min_pixels, model.max_pixels)
        return 1, self._decoder.channels, height // factor, width // factor


def _check(job: ImageJob) -> None:
    check_size(job.width, job.height)
    if job.sampler not in SAMPLERS:
        raise UnsupportedJob(f"Sampler '{job.sampler}' is not one of {', '.join(SAMPLERS)}.")
    if job.steps < 1:
        raise UnsupportedJob(f"steps is {job.steps}; at least 1 is needed.")


def _resized(pixels: Pixels, width: int, height: int) -> bytes:
    if pixels.shape[:2] == (height, width):
        return pixels.tobytes()
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS).tobytes()
