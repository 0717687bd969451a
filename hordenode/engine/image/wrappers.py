"""Denoisers around a denoiser: what is kept of a source, and pictures whose edges fit. Samplers know nothing of it."""

from __future__ import annotations

import numpy as np

from hordenode.engine.image.denoiser import Denoise, Latent

GOLDEN = (5**0.5 - 1) / 2  # its multiples never come back near each other


def keeping(denoise: Denoise, source: Latent, mask: Latent, noise: Latent, free_at: float = np.inf) -> Denoise:
    """Only where `mask` is 1 is the latent free; elsewhere it is the source under the noise of each level.

    The masked-latent way of models without mask channels (Lugmayr et al. 2022, section 4.1, with one fixed noise).
    `free_at`: the level of pure noise, at which there is no source yet.
    """

    def masked(x: Latent, sigma: float) -> Latent:
        if sigma < free_at:
            x = mask * x + (1 - mask) * (source + np.float32(sigma) * noise)
        return mask * denoise(x, sigma) + (1 - mask) * source

    return masked


def seamless(denoise: Denoise) -> Denoise:
    """Every look sees the latent rolled by another amount, so that no place is always an edge."""
    looks = 0

    def rolled(x: Latent, sigma: float) -> Latent:
        nonlocal looks
        looks += 1
        down, right = (
            int(looks * part * size) % size for part, size in zip((GOLDEN, GOLDEN**2), x.shape[2:], strict=True)
        )
        clean = denoise(np.roll(x, (down, right), (2, 3)), sigma)
        return np.roll(clean, (-down, -right), (2, 3))

    return rolled


class Watching:
    """Remembers the last clean latent, for previews."""

    def __init__(self, denoise: Denoise) -> None:
        self._denoise = denoise
        self.clean: Latent | None = None

    def __call__(self, x: Latent, sigma: float) -> Latent:
        self.clean = self._denoise(x, sigma)
        return self.clean
