"""From what a model predicts to what samplers ask for: the clean latent in a noisy one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.image.schedule import Schedule

Latent = NDArray[np.float32]

# (latent of unit variance [B, C, h, w], training step) -> prediction of the same shape
Predict = Callable[[Latent, float], Latent]
# (latent with noise of this sigma, sigma) -> clean latent
Denoise = Callable[[Latent, float], Latent]
# sigma -> (weight of the latent, weight of the prediction) in the clean latent
Parts = Callable[[float], tuple[float, float]]


def unit(sigma: float) -> float:
    """What brings a latent under noise of this sigma to unit variance."""
    return float((sigma**2 + 1) ** -0.5)


def epsilon_parts(sigma: float) -> tuple[float, float]:
    """For models that predict the noise: x0 = x − σ·ε (Karras et al. 2022, table 1, VP)."""
    return 1.0, -sigma


def v_parts(sigma: float) -> tuple[float, float]:
    """For models that predict v = √ᾱ·ε − √(1−ᾱ)·x0 (Salimans & Ho 2022, appendix D)."""
    return unit(sigma) ** 2, -sigma * unit(sigma)


PARTS: dict[str, Parts] = {"epsilon": epsilon_parts, "v_prediction": v_parts}


def denoiser(parts: Parts, predict: Predict, schedule: Schedule) -> Denoise:
    """With latents in main memory."""

    def denoise(x: Latent, sigma: float) -> Latent:
        kept, taken = parts(sigma)
        return np.float32(kept) * x + np.float32(taken) * predict(x * np.float32(unit(sigma)), schedule.timestep(sigma))

    return denoise
