"""Samplers: from noise to a clean latent along given noise levels, with any denoiser.

Each takes a noisy latent x with noise of sigmas[0], and walks to sigmas[-1] = 0. `noise` gives a fresh latent of unit
normal noise; `progress` hears the number of each finished step, and what it raises ends the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import numpy as np

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.schedule import Levels

Noise = Callable[[], Latent]
StepDone = Callable[[int], None]


class Sampler(Protocol):
    """What all samplers look like."""

    def __call__(self, denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent: ...


def euler(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """Karras et al. 2022, algorithm 2 without churn and second order."""
    for i, (sigma, after) in enumerate(_steps(sigmas)):
        slope = (x - denoise(x, sigma)) / np.float32(sigma)
        x = x + slope * np.float32(after - sigma)
        progress(i + 1)
    return x


def euler_ancestral(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """Euler's method to a lower level than asked for, then fresh noise up to it."""
    for i, (sigma, after) in enumerate(_steps(sigmas)):
        down, up = ancestral_split(sigma, after)
        slope = (x - denoise(x, sigma)) / np.float32(sigma)
        x = x + slope * np.float32(down - sigma)
        if up > 0:
            x = x + noise() * np.float32(up)
        progress(i + 1)
    return x


def dpmpp_2m(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """DPM-Solver++ (2M), Lu et al. 2022, algorithm 2, data prediction; λ = −ln σ."""
    last: Latent | None = None
    last_stride = 0.0
    for i, (sigma, after) in enumerate(_steps(sigmas)):
        clean = denoise(x, sigma)
        if after == 0:  # the limit of the formula below: λ is infinite
            x = clean
        else:
            stride = np.log(sigma / after)
            ratio = 0.0 if last is None else stride / (2 * last_stride)
            mixed = clean if last is None else np.float32(1 + ratio) * clean - np.float32(ratio) * last
            x = np.float32(after / sigma) * x + np.float32(1 - after / sigma) * mixed
            last, last_stride = clean, stride
        progress(i + 1)
    return x


def ancestral_split(sigma: float, after: float) -> tuple[float, float]:
    """(level to walk down to, noise to add): down² + up² = after²."""
    up = min(after, (after**2 * (sigma**2 - after**2) / sigma**2) ** 0.5)
    return (after**2 - up**2) ** 0.5, up


def _steps(sigmas: Levels) -> list[tuple[float, float]]:
    return list(pairwise(sigmas.tolist()))


# By the horde's names. DDIM with η = 0 is Euler's method in σ (Song et al. 2021, section 4.3).
SAMPLERS: dict[str, Sampler] = {
    "k_euler": euler,
    "k_euler_a": euler_ancestral,
    "k_dpmpp_2m": dpmpp_2m,
    "DDIM": euler,
}
