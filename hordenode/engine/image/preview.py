"""A cheap look at a latent: the linear map to colours that comes nearest to the model's own decoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.image.denoiser import Latent
from hordenode.engine.seeds import seeded

SIDE = 16  # latents of the picture that the first map is learnt from


class Preview:
    """Learns from what a decoder makes: [channels + 1, 3] weights, in 0..255."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._weights: NDArray[np.float32] | None = None

    @property
    def knows(self) -> bool:
        """Whether it has seen a decoded latent."""
        return self._weights is not None

    def sample(self) -> Latent:
        """A latent to learn from before there is a picture."""
        return seeded(0).standard_normal((1, self._channels, SIDE, SIDE), np.float32)

    def learn(self, latent: Latent, pixels: NDArray[np.uint8]) -> None:
        """Fit the map to a latent [1, C, h, w] and what was decoded from it [h·f, w·f, 3]."""
        height, width = latent.shape[2:]
        blocks = pixels.reshape(height, pixels.shape[0] // height, width, -1, 3).mean((1, 3), dtype=np.float32)
        self._weights = np.linalg.lstsq(_columns(latent), blocks.reshape(-1, 3), rcond=None)[0].astype(np.float32)

    def picture(self, latent: Latent) -> NDArray[np.uint8]:
        """[h, w, 3], a pixel per latent."""
        assert self._weights is not None
        made = (_columns(latent) @ self._weights).reshape(*latent.shape[2:], 3)
        colours: NDArray[np.uint8] = np.rint(made).clip(0, 255).astype(np.uint8)
        return colours


def _columns(latent: Latent) -> Latent:
    flat = latent[0].reshape(latent.shape[1], -1).T
    return np.concatenate([flat, np.ones((len(flat), 1), np.float32)], axis=1)
