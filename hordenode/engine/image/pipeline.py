"""An image model in a Stable Diffusion layout, as ONNX: what its folder holds, put together to draw.

prompts -> condition; noise or source -> (schedule × sampler × denoiser) -> latent -> pixels -> the size asked for
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hordenode.catalog import ImageModel
from hordenode.engine.files import RESTORE, read_json
from hordenode.engine.image.autoencoder import Decoder, Encoder, Pixels
from hordenode.engine.image.conditioner import Conditioner, Guide
from hordenode.engine.image.denoiser import DENOISERS, Denoise, Latent, Predict
from hordenode.engine.image.finish import Enlarge, finished
from hordenode.engine.image.preview import Preview
from hordenode.engine.image.samplers import SAMPLERS, Noise, StepDone
from hordenode.engine.image.schedule import Schedule, SchedulerConfig, UnsupportedSchedule
from hordenode.engine.image.sizes import check_size
from hordenode.engine.image.sources import Source, latent_mask, read_source, resized
from hordenode.engine.image.stages import (
    Stage,
    enlarged,
    first_strength,
    latent_size,
    levels,
    stages,
    step_count,
    working_mb,
)
from hordenode.engine.image.unet import Unet
from hordenode.engine.image.wrappers import Watching, keeping, seamless
from hordenode.engine.jobs import ImageJob, ImageResult, ModelFileError, Picture, Progress, UnsupportedJob
from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.seeds import seeded

PROCESSINGS = ("img2img", "inpainting", "outpainting")
GREY = 127.5  # in the middle of what the encoder takes: what inpainting models see where nothing is


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is given to draw on. `latent` of the source, `mask` [1, 1, h, w]; `beside`: an inpainting model's inputs."""

    latent: Latent | None = None
    mask: Latent | None = None
    beside: Latent | None = None


class ImagePipeline:
    """A loaded model, ready to draw. Pictures are drawn one by one, so that a seed's bytes depend on nothing else."""

    def __init__(self, model: ImageModel, runtime: Runtime, enlarge: Enlarge | None = None) -> None:
        """`enlarge`: for what is drawn smaller than asked for; without it that is interpolated. Raises ModelFileError."""
        self._model, self._enlarge = model, enlarge
        self._folder, self._runtime = model.path, runtime
        refuse_other_layouts(self._folder)
        self._schedule, self._denoiser = _schedule(self._folder / "scheduler" / "scheduler_config.json")
        frugal = runtime.frugal
        self._decoder = Decoder(self._open("vae_decoder"), self._folder / "vae_decoder", frugal=frugal)
        self._unet = Unet(self._open("unet"), self._folder / "unet", self._decoder.channels, frugal=frugal)
        self._conditioner = Conditioner(self._folder, runtime, pooled=self._unet.wants_pooled)
        self._encoder: Encoder | None = None
        self._preview = Preview(self._decoder.channels)

    def draw(self, job: ImageJob, report: Callable[[Progress], None]) -> ImageResult:
        """All pictures of a job. Raises UnsupportedJob, BadPicture, ModelFileError, and what `report` raises."""
        self._check(job)
        source, pictures = _source(job), []
        last = Progress(job.id, 0, 0)

        def heard(progress: Progress) -> None:
            nonlocal last
            last = replace(progress, preview=None)
            report(progress)

        def again() -> None:
            report(last)

        for seed, latent in zip(job.seeds, self.latents(job, source, heard), strict=True):
            pixels = self._decoder.decode(latent, seamless=job.tiling)
            self._preview.learn(latent, pixels)
            pictures.append(finished(job, seed, pixels, source, self._enlarge, again))
        return ImageResult(job.id, tuple(pictures))

    def estimate_mb(self, job: ImageJob) -> int:
        """About the memory that a job takes beside the model. Raises UnsupportedJob."""
        self._check(job)
        walks = self._walks(job)
        return working_mb(walks, self._unet.heads, self._decoder.width, self._decoder.factor)

    def latents(self, job: ImageJob, source: Source | None, report: Callable[[Progress], None]) -> Iterator[Latent]:
        """One clean latent [1, C, h, w] per seed."""
        walks = self._walks(job)
        canvas = self._canvas(walks[-1], source)
        guide = self._conditioner.guide(job.negative_prompt, job.prompt, job.clip_skip)
        clock = _Clock(job, report, sum(step_count(job.steps, walk.strength) for walk in walks))
        for seed in job.seeds:
            yield self._draw_one(job, seed, walks, guide, canvas, clock)

    def _walks(self, job: ImageJob) -> tuple[Stage, ...]:
        model, factor, multiple = self._model, self._decoder.factor, self._unet.config.multiple
        width, height = latent_size(
            job, multiple * factor, square=model.square, min_pixels=model.min_pixels, max_pixels=model.max_pixels
        )
        return stages(job, width // factor, height // factor, self._unet.config.native_area, multiple)

    def _draw_one(
        self, job: ImageJob, seed: int, walks: tuple[Stage, ...], guide: Guide, canvas: Canvas, clock: _Clock
    ) -> Latent:
        random, latent = seeded(seed), canvas.latent
        for walk in walks:
            shape = (1, self._decoder.channels, walk.height, walk.width)

            def noise(shape: tuple[int, ...] = shape) -> Latent:
                return random.standard_normal(shape, np.float32)

            if latent is not None and latent.shape != shape:
                latent = enlarged(latent, walk.width, walk.height)
            here = canvas if canvas.beside is None or canvas.beside.shape[2:] == shape[2:] else self._canvas(walk, None)
            latent = self._walk(job, walk, guide, replace(here, latent=latent), noise, clock)
        assert latent is not None  # there is at least one walk
        return latent

    def _walk(self, job: ImageJob, walk: Stage, guide: Guide, canvas: Canvas, noise: Noise, clock: _Clock) -> Latent:
        """From noise, or from the canvas under noise, to a clean latent."""
        factor = self._decoder.factor
        sigmas, first = levels(self._schedule, job, walk.strength), noise()
        empty, prompt = guide.at(walk.width * factor, walk.height * factor)
        predict = self._unet.guided(empty, prompt, job.cfg_scale, canvas.beside)
        denoise = self._denoiser(predict, self._schedule)
        if job.tiling:
            denoise = seamless(denoise)
        start = first * np.float32(first_strength(self._schedule, job.sampler, sigmas[0]))
        fresh = canvas.mask is not None and walk.strength >= 1
        if canvas.latent is not None and not fresh:
            start = canvas.latent + first * np.float32(sigmas[0])
        if canvas.latent is not None and canvas.mask is not None and canvas.beside is None:
            denoise = keeping(denoise, canvas.latent, canvas.mask, first, sigmas[0] if fresh else np.inf)
        watching = Watching(denoise)
        return SAMPLERS[job.sampler](watching, start, sigmas, noise, clock.walk(watching, self._look))

    def _canvas(self, walk: Stage, source: Source | None) -> Canvas:
        """The source as the model takes it, at the size of a walk."""
        if source is None and not self._unet.inpaints:
            return Canvas()
        factor = self._decoder.factor
        width, height = walk.width * factor, walk.height * factor
        mask = None
        if source is not None and source.mask is not None:
            mask = latent_mask(source.mask, walk.height, walk.width)
        latent = None if source is None else self._encode(resized(source.rgb, width, height).astype(np.float32))
        if not self._unet.inpaints:
            return Canvas(latent, mask)
        everything = np.ones((1, 1, walk.height, walk.width), np.float32)
        seen = np.full((height, width, 3), GREY, np.float32)
        if source is not None and source.mask is not None:
            kept = latent_mask(source.mask, height, width)[0, 0] == 0
            seen[kept] = resized(source.rgb, width, height)[kept]
        shown = everything if mask is None else mask
        return Canvas(latent, mask, np.concatenate([shown, self._encode(seen)], axis=1))

    def _encode(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Latent:
        """Raises UnsupportedJob for a model without the encoding half."""
        if self._encoder is None:
            folder = self._folder / "vae_encoder"
            if not folder.is_dir():
                raise UnsupportedJob(f"'{self._model.name}' has no vae_encoder, so it cannot start from a picture.")
            self._encoder = Encoder(self._open("vae_encoder"), folder, frugal=self._runtime.frugal)
        return self._encoder.encode(pixels)

    def _look(self, latent: Latent) -> Pixels:
        if not self._preview.knows:
            sample = self._preview.sample()
            self._preview.learn(sample, self._decoder.decode(sample))
        return self._preview.picture(latent)

    def _open(self, part: str) -> Session:
        return self._runtime.open(self._folder / part / "model.onnx")

    def _check(self, job: ImageJob) -> None:
        check_size(job.width, job.height)
        if job.sampler not in SAMPLERS:
            raise UnsupportedJob(f"Sampler '{job.sampler}' is not one of {', '.join(SAMPLERS)}.")
        if job.steps < 1:
            raise UnsupportedJob(f"steps is {job.steps}; at least 1 is needed.")
        if job.source_image and job.source_processing not in PROCESSINGS:
            raise UnsupportedJob(f"'{job.source_processing}' is not one of {', '.join(PROCESSINGS)}.")
        if job.tiling and self._unet.inpaints:
            raise UnsupportedJob(f"'{self._model.name}' is an inpainting model, which cannot draw seamless pictures.")


class _Clock:
    """Counts the steps of all walks of a job and reports them."""

    def __init__(self, job: ImageJob, report: Callable[[Progress], None], steps: int) -> None:
        self._job = job
        self._report = report
        self._total = steps * len(job.seeds)
        self._before = 0

    def walk(self, watching: Watching, look: Callable[[Latent], Pixels]) -> StepDone:
        """What a sampler calls; a walk's steps come on top of those of the walks before it."""
        before, every = self._before, self._job.preview_every

        def done(step: int) -> None:
            self._before = before + step
            preview = None
            if every and self._before % every == 0 and watching.clean is not None:
                seen = look(watching.clean)
                preview = Picture(seen.shape[1], seen.shape[0], seen.tobytes(), 0)
            self._report(Progress(self._job.id, self._before, self._total, preview=preview))

        return done


def refuse_other_layouts(folder: Path) -> None:
    """Raises ModelFileError for a diffusion transformer, or for a folder that holds no model at all."""
    if (folder / "transformer").is_dir() and not (folder / "unet").is_dir():
        raise ModelFileError(
            folder / "transformer",
            "belongs to a diffusion transformer (such as Flux or Stable Diffusion 3)",
            "This engine runs models with a UNet; use another model.",
        )
    if not (folder / "unet").is_dir():
        raise ModelFileError(folder / "unet", "is missing", RESTORE)


def _schedule(file: Path) -> tuple[Schedule, Callable[[Predict, Schedule], Denoise]]:
    config = read_json(file, SchedulerConfig)
    try:
        return Schedule(config), DENOISERS[config.prediction_type]
    except (UnsupportedSchedule, KeyError) as error:
        raise ModelFileError(file, f"asks for what is not supported: {error}", "Use another model.") from error


def _source(job: ImageJob) -> Source | None:
    if not job.source_image:
        return None
    return read_source(job.source_image, job.source_mask, job.source_processing, job.width, job.height)
