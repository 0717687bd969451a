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


def denoise_epsilon(predict: Predict, schedule: Schedule) -> Denoise:
    """For models that predict the noise: x0 = x − σ·ε (Karras et al. 2022, table 1, VP)."""

    def denoise(x: Latent, sigma: float) -> Latent:
        scale = np.float32((sigma**2 + 1) ** -0.5)
        return x - np.float32(sigma) * predict(x * scale, schedule.timestep(sigma))

    return denoise


def denoise_v(predict: Predict, schedule: Schedule) -> Denoise:
    """For models that predict v = √ᾱ·ε − √(1−ᾱ)·x0 (Salimans & Ho 2022, appendix D)."""

    def denoise(x: Latent, sigma: float) -> Latent:
        scale = np.float32((sigma**2 + 1) ** -0.5)
        return scale * (scale * x - np.float32(sigma) * predict(x * scale, schedule.timestep(sigma)))

    return denoise


DENOISERS: dict[str, Callable[[Predict, Schedule], Denoise]] = {
    "epsilon": denoise_epsilon,
    "v_prediction": denoise_v,
}
