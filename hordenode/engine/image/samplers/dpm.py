"""The samplers of Karras et al. 2022 around DPM-Solver-2: a second look at the geometric middle of each step."""

from __future__ import annotations

import numpy as np

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone, ancestral_split, slope, steps, towards, with_noise
from hordenode.engine.image.schedule import Levels


def dpm_2(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """DPM-Solver-2 (Lu et al. 2022a, algorithm 4) as Karras et al. 2022 write it in σ."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        x = _midpoint(denoise, x, sigma, after)
        progress(i + 1)
    return x


def dpm_2_ancestral(
    denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone, *, eta: float = 1.0
) -> Latent:
    """The same to a lower level than asked for, then fresh noise up to it."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        down, up = ancestral_split(sigma, after, eta)
        x = with_noise(_midpoint(denoise, x, sigma, down), noise, up)
        progress(i + 1)
    return x


def _midpoint(denoise: Denoise, x: Latent, sigma: float, after: float) -> Latent:
    clean = denoise(x, sigma)
    if after == 0:
        return towards(x, clean, sigma, after)
    middle = (sigma * after) ** 0.5
    halfway = towards(x, clean, sigma, middle)
    return x + slope(halfway, denoise(halfway, middle), middle) * np.float32(after - sigma)
