"""One walk from noise to a clean latent: schedule × sampler × denoiser, in main memory or on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from hordenode.engine.image.autoencoder import Pixels
from hordenode.engine.image.denoiser import Denoise, Latent, Parts, denoiser
from hordenode.engine.image.mixture import Mixture, Workbench
from hordenode.engine.image.resident import as_latent, in_memory, resident_denoiser, resident_keeping
from hordenode.engine.image.samplers import LINEAR_SAMPLERS, SAMPLERS, Noise, StepDone
from hordenode.engine.image.schedule import Schedule
from hordenode.engine.image.stages import Stage, first_strength, levels
from hordenode.engine.image.unet import Guidance
from hordenode.engine.image.wrappers import Watching, keeping, seamless
from hordenode.engine.jobs import ImageJob, Picture, Progress


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is given to draw on. `latent` of the source, `mask` [1, 1, h, w]; `beside`: an inpainting model's inputs."""

    latent: Latent | None = None
    mask: Latent | None = None
    beside: Latent | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A walk of a job, with all that is the same for each of its pictures."""

    stage: Stage
    canvas: Canvas
    guidance: Guidance


@dataclass(frozen=True, slots=True)
class Kept:
    """Of a latent that stays where the mask is 0: the noise that it is under, below the level `free_at`."""

    latent: Latent
    mask: Latent
    noise: Latent
    free_at: float


class Walker:
    """Walks with one model. `bench`: where latents stay on the device; None: they are in main memory."""

    def __init__(self, schedule: Schedule, parts: Parts, bench: Workbench | None) -> None:
        self._schedule = schedule
        self._parts = parts
        self._bench = bench

    def walk(self, job: ImageJob, route: Route, begin: Latent | None, noise: Noise, clock: Clock) -> Latent:
        """From noise, or from the latent `begin` under noise, to clean latents, one for each that `noise` gives.

        Raises ModelFileError for NaN.
        """
        canvas, strength = route.canvas, route.stage.strength
        sigmas, first = levels(self._schedule, job, strength), noise()
        start = first * np.float32(first_strength(self._schedule, job.sampler, sigmas[0]))
        fresh, kept = canvas.mask is not None and strength >= 1, None
        if begin is not None and not fresh:
            start = begin + first * np.float32(sigmas[0])
        if begin is not None and canvas.mask is not None and canvas.beside is None:
            kept = Kept(begin, canvas.mask, first, sigmas[0] if fresh else np.inf)
        if self._bench is not None and self._stays(job):
            watching = Watching(self._resident(self._bench, route, kept))
            start = as_latent(Mixture.of(self._bench, start))
        else:
            watching = Watching(self._in_memory(route, kept, tiling=job.tiling))
        clean = in_memory(SAMPLERS[job.sampler](watching, start, sigmas, noise, clock.walk(watching)))
        route.guidance.unet.check_numbers(clean)
        return clean

    def together(self, job: ImageJob, area: int) -> int:
        """How many pictures of this area in latents are worth one run: on a device, those that fill it as one large does."""
        if self._bench is None or not self._stays(job):
            return 1
        return max(min(self._bench.area // area, len(job.seeds)), 1)

    def _stays(self, job: ImageJob) -> bool:
        """Whether all that is done to the latents of a job can be done on a device."""
        return job.sampler in LINEAR_SAMPLERS and not job.tiling

    def _in_memory(self, route: Route, kept: Kept | None, *, tiling: bool) -> Denoise:
        predict = partial(route.guidance.predict, beside=route.canvas.beside)
        denoise = denoiser(self._parts, predict, self._schedule)
        if tiling:
            denoise = seamless(denoise)
        if kept is not None:
            denoise = keeping(denoise, kept.latent, kept.mask, kept.noise, kept.free_at)
        return denoise

    def _resident(self, bench: Workbench, route: Route, kept: Kept | None) -> Denoise:
        denoise = resident_denoiser(bench, self._parts, route.guidance, self._schedule, route.canvas.beside)
        if kept is not None:
            denoise = resident_keeping(bench, denoise, kept.latent, kept.mask, kept.noise, kept.free_at)
        return denoise


class Clock:
    """Counts the steps of all walks of a job and reports them, of `total`. `look`: a small picture of a clean latent."""

    def __init__(
        self, job: ImageJob, report: Callable[[Progress], None], total: int, look: Callable[[Latent], Pixels]
    ) -> None:
        self._job = job
        self._report = report
        self._look = look
        self._total = total
        self._before = 0

    def walk(self, watching: Watching) -> StepDone:
        """What a sampler calls; a walk's steps come on top of those of the walks before it."""
        before, every = self._before, self._job.preview_every

        def done(step: int) -> None:
            self._before = before + step
            preview = None
            if every and self._before % every == 0 and watching.clean is not None:
                seen = self._look(in_memory(watching.clean)[:1])
                preview = Picture(seen.shape[1], seen.shape[0], seen.tobytes(), 0)
            self._report(Progress(self._job.id, self._before, self._total, preview=preview))

        return done
