"""An image model in a Stable Diffusion layout, as ONNX: what its folder holds, put together to draw.

prompts -> condition; noise or source -> (schedule × sampler × denoiser) -> latent -> pixels -> the size asked for
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hordenode.catalog import ImageModel
from hordenode.engine.files import RESTORE, read_json
from hordenode.engine.image.autoencoder import Decoder, Encoder, Pixels
from hordenode.engine.image.conditioner import Conditioner, Guide
from hordenode.engine.image.denoiser import PARTS, Latent, Parts
from hordenode.engine.image.finish import Enlarge, finished
from hordenode.engine.image.mixture import Workbench
from hordenode.engine.image.preview import Preview
from hordenode.engine.image.samplers import SAMPLERS
from hordenode.engine.image.schedule import Schedule, SchedulerConfig, UnsupportedSchedule
from hordenode.engine.image.sizes import check_size
from hordenode.engine.image.sources import Source, latent_mask, read_source, resized
from hordenode.engine.image.stages import (
    Stage,
    enlarged,
    latent_size,
    stages,
    step_count,
    working_mb,
)
from hordenode.engine.image.unet import Unet
from hordenode.engine.image.walker import Canvas, Clock, Route, Walker
from hordenode.engine.jobs import ImageJob, ImageResult, ModelFileError, Progress, UnsupportedJob
from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.seeds import seeded

FULL_AREA = 4 * 64 * 64  # latents that are drawn in one run on a graphics card: four pictures of 512 px
PROCESSINGS = ("img2img", "inpainting", "outpainting")
GREY = 127.5  # in the middle of what the encoder takes: what inpainting models see where nothing is


class ImagePipeline:
    """A loaded model, ready to draw.

    In main memory pictures are drawn one by one, so that a seed's bytes depend on nothing else. A graphics card is only
    busy with several at a time, whose last bits may then differ.
    """

    def __init__(
        self,
        model: ImageModel,
        runtime: Runtime,
        enlarge: Enlarge | None = None,
        *,
        resident: bool | None = None,
        frugal: bool | None = None,
    ) -> None:
        """`enlarge`: for what is drawn smaller than asked for; without it that is interpolated. `resident`: latents stay
        on the device for a whole walk, by default where that is not main memory. `frugal`: rather little memory than a
        few per cent of time, by default as the runtime says. Raises ModelFileError.
        """
        self._model, self._enlarge = model, enlarge
        self._folder, self._runtime = model.path, runtime
        refuse_other_layouts(self._folder)
        schedule, parts = _schedule(self._folder / "scheduler" / "scheduler_config.json")
        stays = runtime.device != "cpu" if resident is None else resident
        frugal = runtime.frugal if frugal is None else frugal
        bench = Workbench(runtime, 0 if frugal else FULL_AREA) if stays else None
        self._walker = Walker(schedule, parts, bench)
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
            last = progress._replace(preview=None)
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
        one = working_mb(self._stages(job), self._unet.heads, self._decoder.width, self._decoder.factor)
        return one * self._together(job)

    def latents(self, job: ImageJob, source: Source | None, report: Callable[[Progress], None]) -> Iterator[Latent]:
        """One clean latent [1, C, h, w] per seed."""
        guide = self._conditioner.guide(job.negative_prompt, job.prompt, job.clip_skip)
        canvases = [(stage, self._canvas(stage, source)) for stage in self._stages(job)]
        count = self._together(job)
        batches = [job.seeds[first : first + count] for first in range(0, len(job.seeds), count)]
        steps = sum(step_count(job.steps, stage.strength) for stage, _ in canvases)
        clock, routes = Clock(job, report, steps * len(batches), self._look), list[Route]()
        for seeds in batches:
            if not routes or routes[0].guidance.count != len(seeds):
                routes = [self._route(job, stage, canvas, guide, len(seeds)) for stage, canvas in canvases]
            yield from np.split(self._draw_batch(job, seeds, routes, clock), len(seeds))

    def _together(self, job: ImageJob) -> int:
        return self._walker.together(job, max(stage.width * stage.height for stage in self._stages(job)))

    def _stages(self, job: ImageJob) -> tuple[Stage, ...]:
        model, factor, multiple = self._model, self._decoder.factor, self._unet.config.multiple
        width, height = latent_size(
            job, multiple * factor, square=model.square, min_pixels=model.min_pixels, max_pixels=model.max_pixels
        )
        return stages(job, width // factor, height // factor, self._unet.config.native_area, multiple)

    def _route(self, job: ImageJob, stage: Stage, canvas: Canvas, guide: Guide, count: int) -> Route:
        factor = self._decoder.factor
        empty, prompt = guide.at(stage.width * factor, stage.height * factor)
        guidance = self._unet.guided(empty, prompt, job.cfg_scale, stage.width * stage.height, count)
        return Route(stage, canvas, guidance)

    def _draw_batch(self, job: ImageJob, seeds: Sequence[int], routes: list[Route], clock: Clock) -> Latent:
        """[seeds, C, h, w], each from noise of its own."""
        randoms, latent = [seeded(seed) for seed in seeds], routes[-1].canvas.latent
        for route in routes:
            shape = (1, self._decoder.channels, route.stage.height, route.stage.width)

            def noise(shape: tuple[int, ...] = shape) -> Latent:
                return np.concatenate([random.standard_normal(shape, np.float32) for random in randoms])

            if latent is not None and latent.shape[1:] != shape[1:]:
                latent = enlarged(latent, route.stage.width, route.stage.height)
            latent = self._walker.walk(job, route, latent, noise, clock)
        assert latent is not None  # there is at least one walk
        return latent

    def _canvas(self, stage: Stage, source: Source | None) -> Canvas:
        """The source as the model takes it, at the size of a stage."""
        if source is None and not self._unet.inpaints:
            return Canvas()
        factor = self._decoder.factor
        width, height = stage.width * factor, stage.height * factor
        mask = None
        if source is not None and source.mask is not None:
            mask = latent_mask(source.mask, stage.height, stage.width)
        latent = None if source is None else self._encode(resized(source.rgb, width, height).astype(np.float32))
        if not self._unet.inpaints:
            return Canvas(latent, mask)
        everything = np.ones((1, 1, stage.height, stage.width), np.float32)
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


def _schedule(file: Path) -> tuple[Schedule, Parts]:
    config = read_json(file, SchedulerConfig)
    try:
        return Schedule(config), PARTS[config.prediction_type]
    except (UnsupportedSchedule, KeyError) as error:
        raise ModelFileError(file, f"asks for what is not supported: {error}", "Use another model.") from error


def _source(job: ImageJob) -> Source | None:
    if not job.source_image:
        return None
    return read_source(job.source_image, job.source_mask, job.source_processing, job.width, job.height)
