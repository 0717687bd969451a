"""Denoisers whose latents never leave the device: what denoiser.py and wrappers.py do with arrays, done with mixtures."""

from __future__ import annotations

from typing import cast

from hordenode.engine.image.denoiser import Denoise, Latent, Parts, unit
from hordenode.engine.image.mixture import Mixture, Workbench
from hordenode.engine.image.schedule import Schedule
from hordenode.engine.image.unet import Guidance


def resident_denoiser(
    bench: Workbench, parts: Parts, guidance: Guidance, schedule: Schedule, beside: Latent | None
) -> Denoise:
    """As denoiser.denoiser. `beside`: an inpainting model's further channels."""
    unet = guidance.unet
    taken_in, given_out = unet.dtypes
    further = None if beside is None else bench.place(beside.repeat(guidance.count, axis=0))

    def denoise(latent: Latent, sigma: float) -> Latent:
        x = _mixture(latent).value()
        time, predictions = unet.time(schedule.timestep(sigma)), []
        for half in guidance.halves:
            sample = bench.prepare(x, unit(sigma), half.sides, further, taken_in)
            made = half.bound.run_there({"sample": sample, "timestep": time})
            unet.check_shape(made.shape, (half.sides * x.shape[0], *x.shape[1:]))
            predictions.append(made)
        kept, taken = parts(sigma)
        weights = (kept, *(taken * weight for weight in guidance.weights))
        return as_latent(Mixture(bench, {bench.guide(x, predictions, weights, given_out): 1.0}))

    return denoise


def resident_keeping(
    bench: Workbench, denoise: Denoise, source: Latent, mask: Latent, noise: Latent, free_at: float
) -> Denoise:
    """As wrappers.keeping, which says what for."""
    shown, kept, under = bench.place(mask), Mixture.of(bench, source), Mixture.of(bench, noise)

    def blended(inside: Mixture, outside: Mixture) -> Latent:
        return as_latent(Mixture(bench, {bench.blend(shown, inside.value(), outside.value()): 1.0}))

    def masked(x: Latent, sigma: float) -> Latent:
        if sigma < free_at:
            x = blended(_mixture(x), kept + under * sigma)
        return blended(_mixture(denoise(x, sigma)), kept)

    return masked


def as_latent(mixture: Mixture) -> Latent:
    """For samplers, which are typed for arrays: a mixture answers to all that those of LINEAR_SAMPLERS do with one."""
    return cast(Latent, mixture)


def in_memory(latent: Latent | Mixture) -> Latent:
    """An array, or what a mixture comes to."""
    return latent.numpy() if isinstance(latent, Mixture) else latent


def _mixture(latent: Latent | Mixture) -> Mixture:
    assert isinstance(latent, Mixture)  # what these denoisers are called with
    return latent
