"""The decoder of the auto-encoder: latents to pixels."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hordenode.engine.files import read_json
from hordenode.engine.image.denoiser import Latent
from hordenode.engine.runtime import Session

Pixels = NDArray[np.uint8]


class DecoderConfig(msgspec.Struct, frozen=True):
    """What matters of vae_decoder/config.json; defaults are Stable Diffusion 1's."""

    latent_channels: int = 4
    scaling_factor: float = 0.18215
    block_out_channels: list[int] = msgspec.field(default_factory=lambda: [128, 256, 512, 512])


class Decoder:
    """A loaded decoder. `factor`: pixels per latent; `channels`: of a latent."""

    def __init__(self, session: Session, folder: Path) -> None:
        session.require("latent_sample")
        config = read_json(folder / "config.json", DecoderConfig)
        self._session = session
        self._scale = np.float32(config.scaling_factor)
        self.channels = config.latent_channels
        self.factor = 2 ** (len(config.block_out_channels) - 1)

    def decode(self, latent: Latent) -> Pixels:
        """[1, C, h, w] to [h·factor, w·factor, 3]."""
        made = self._session.run({"latent_sample": latent / self._scale}).astype(np.float32)
        pixels: Pixels = np.rint((made[0].transpose(1, 2, 0) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
        return pixels
