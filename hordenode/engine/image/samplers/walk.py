"""What all samplers share: their shape, and how they step from level to level."""

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
    """What all samplers look like; some have keyword options beside."""

    def __call__(self, denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent: ...


def steps(sigmas: Levels) -> list[tuple[float, float]]:
    """Each level with the one after it."""
    return list(pairwise(sigmas.tolist()))


def slope(x: Latent, clean: Latent, sigma: float) -> Latent:
    """dx/dσ of the probability flow (Karras et al. 2022, equation 3)."""
    return (x - clean) / np.float32(sigma)


def towards(x: Latent, clean: Latent, sigma: float, after: float) -> Latent:
    """One step of Euler's method, written so that nothing cancels at large sigmas."""
    return clean + (x - clean) * np.float32(after / sigma)


def ancestral_split(sigma: float, after: float, eta: float = 1.0) -> tuple[float, float]:
    """(level to walk down to, noise to add): down² + up² = after²."""
    up = min(after, eta * (after**2 * (sigma**2 - after**2) / sigma**2) ** 0.5)
    return (after**2 - up**2) ** 0.5, up


def with_noise(x: Latent, noise: Noise, up: float) -> Latent:
    """Fresh noise of this level on top."""
    return x + noise() * np.float32(up) if up > 0 else x
