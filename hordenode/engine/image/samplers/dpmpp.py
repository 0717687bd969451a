"""DPM-Solver++ (Lu et al. 2022b): exact in the linear part, with the clean latent as what is extrapolated; λ = −ln σ."""

from __future__ import annotations

from math import log

import numpy as np

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone, ancestral_split, steps, towards, with_noise
from hordenode.engine.image.schedule import Levels


def dpmpp_2m(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """DPM-Solver++ (2M), algorithm 2, data prediction."""
    last: Latent | None = None
    last_stride = 0.0
    for i, (sigma, after) in enumerate(steps(sigmas)):
        clean = denoise(x, sigma)
        if after == 0:  # the limit of the formula below: λ is infinite
            x = clean
        else:
            stride = log(sigma / after)
            ratio = 0.0 if last is None else stride / (2 * last_stride)
            mixed = clean if last is None else np.float32(1 + ratio) * clean - np.float32(ratio) * last
            x = towards(x, mixed, sigma, after)
            last, last_stride = clean, stride
        progress(i + 1)
    return x


def dpmpp_2s_ancestral(
    denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone, *, eta: float = 1.0
) -> Latent:
    """DPM-Solver++ (2S), algorithm 1 with r = ½, to a lower level than asked for, then fresh noise up to it."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        down, up = ancestral_split(sigma, after, eta)
        clean = denoise(x, sigma)
        if down > 0:
            middle = (sigma * down) ** 0.5
            clean = denoise(towards(x, clean, sigma, middle), middle)
        x = with_noise(towards(x, clean, sigma, down), noise, up)
        progress(i + 1)
    return x


def dpmpp_sde(
    denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone, *, eta: float = 1.0
) -> Latent:
    """DPM-Solver++ for the reverse diffusion, with a second look at the middle of λ (r = ½).

    Both looks follow one Brownian path in σ: its increment over a step is that to the middle plus the rest.
    """
    for i, (sigma, after) in enumerate(steps(sigmas)):
        clean = denoise(x, sigma)
        if after == 0:
            x = clean
        else:
            middle = (sigma * after) ** 0.5
            down, up = ancestral_split(sigma, middle, eta)
            first = noise()
            halfway = towards(x, clean, sigma, down) + first * np.float32(up)
            clean = denoise(halfway, middle)
            share = (sigma - middle) / (sigma - after)
            whole: Latent = np.float32(share**0.5) * first + np.float32((1 - share) ** 0.5) * noise()
            down, up = ancestral_split(sigma, after, eta)
            x = towards(x, clean, sigma, down) + whole * np.float32(up)
        progress(i + 1)
    return x
