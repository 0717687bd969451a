"""The sampler of consistency models: a guess of the clean latent, fresh noise, the next guess."""

from __future__ import annotations

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone, steps, with_noise
from hordenode.engine.image.schedule import Levels


def lcm(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """Luo et al. 2023 (latent consistency models), algorithm 3."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        x = with_noise(denoise(x, sigma), noise, after)
        progress(i + 1)
    return x
