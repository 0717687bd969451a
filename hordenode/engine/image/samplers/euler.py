"""Euler's method for the probability flow, its ancestral sibling, and Heun's second-order correction."""

from __future__ import annotations

import numpy as np

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone, ancestral_split, slope, steps, towards, with_noise
from hordenode.engine.image.schedule import Levels


def euler(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """Karras et al. 2022, algorithm 2 without churn and second order."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        x = towards(x, denoise(x, sigma), sigma, after)
        progress(i + 1)
    return x


def euler_ancestral(
    denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone, *, eta: float = 1.0
) -> Latent:
    """Euler's method to a lower level than asked for, then fresh noise up to it."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        down, up = ancestral_split(sigma, after, eta)
        x = with_noise(towards(x, denoise(x, sigma), sigma, down), noise, up)
        progress(i + 1)
    return x


def heun(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """Karras et al. 2022, algorithm 2 without churn: the mean of the slopes at both ends of a step."""
    for i, (sigma, after) in enumerate(steps(sigmas)):
        clean = denoise(x, sigma)
        ahead = towards(x, clean, sigma, after)
        if after > 0:
            mean = (slope(x, clean, sigma) + slope(ahead, denoise(ahead, after), after)) / np.float32(2)
            ahead = x + mean * np.float32(after - sigma)
        x = ahead
        progress(i + 1)
    return x
