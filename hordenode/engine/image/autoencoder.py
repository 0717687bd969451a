"""The auto-encoder: latents to pixels, and pixels to latents where the model's folder has that half."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hordenode.engine.files import read_json
from hordenode.engine.image.denoiser import Latent
from hordenode.engine.image.tiles import in_tiles
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Session

Pixels = NDArray[np.uint8]

TILE, OVERLAP = 64, 16  # in latents
AROUND = 8  # latents from the far side that a seamless picture is decoded with


class AutoencoderConfig(msgspec.Struct, frozen=True):
    """What matters of the config.json of either half; defaults are Stable Diffusion 1's."""

    latent_channels: int = 4
    scaling_factor: float = 0.18215
    shift_factor: float | None = None
    block_out_channels: list[int] = msgspec.field(default_factory=lambda: [128, 256, 512, 512])


class Decoder:
    """A loaded decoder. `factor`: pixels per latent; `channels`: of a latent. `frugal`: large ones in tiles."""

    def __init__(self, session: Session, folder: Path, *, frugal: bool = False) -> None:
        session.require("latent_sample")
        config = read_json(folder / "config.json", AutoencoderConfig)
        self._session = session
        self._scale, self._shift = np.float32(config.scaling_factor), np.float32(config.shift_factor or 0.0)
        self._frugal = frugal
        self.channels = config.latent_channels
        self.width = config.block_out_channels[0]
        self.factor = 2 ** (len(config.block_out_channels) - 1)

    def decode(self, latent: Latent, *, seamless: bool = False) -> Pixels:
        """[1, C, h, w] to [h·factor, w·factor, 3]. `seamless`: the opposite edges fit. Raises ModelFileError."""
        around = AROUND if seamless else 0
        padded = np.pad(latent, ((0, 0), (0, 0), (around, around), (around, around)), "wrap") if around else latent
        made = in_tiles(self._run, padded / self._scale + self._shift, self._tile(padded), OVERLAP)
        if not np.isfinite(made).all():
            raise ModelFileError(self._session.file, "gave values that are no numbers (NaN)", BROKEN)
        if made.shape != (1, 3, padded.shape[2] * self.factor, padded.shape[3] * self.factor):
            raise ModelFileError(self._session.file, f"gave {list(made.shape)} for {list(padded.shape)}", MISFIT)
        cut = around * self.factor
        inside = made[0, :, cut : made.shape[2] - cut, cut : made.shape[3] - cut]
        pixels: Pixels = np.rint((inside.transpose(1, 2, 0) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
        return pixels

    def _tile(self, latent: Latent) -> int:
        return TILE if self._frugal else max(latent.shape[2:])

    def _run(self, latent: Latent) -> Latent:
        return self._session.run_last({"latent_sample": latent}).astype(np.float32)


class Encoder:
    """The other half. Of the distribution that it gives, the mean is taken: a source is the same every time."""

    def __init__(self, session: Session, folder: Path, *, frugal: bool = False) -> None:
        session.require("sample")
        config = read_json(folder / "config.json", AutoencoderConfig)
        self._session = session
        self._scale, self._shift = np.float32(config.scaling_factor), np.float32(config.shift_factor or 0.0)
        self._channels = config.latent_channels
        self._factor = 2 ** (len(config.block_out_channels) - 1)
        self._frugal = frugal

    def encode(self, pixels: NDArray[np.float32]) -> Latent:
        """[h, w, 3] in 0..255 to [1, C, h/factor, w/factor]."""
        planes = np.ascontiguousarray((pixels / np.float32(127.5) - np.float32(1)).transpose(2, 0, 1)[None])
        tile = TILE * self._factor if self._frugal else max(planes.shape[2:])
        made = in_tiles(self._run, planes, tile, OVERLAP * self._factor)
        expected = (1, self._channels, pixels.shape[0] // self._factor, pixels.shape[1] // self._factor)
        if made.shape != expected:
            raise ModelFileError(self._session.file, f"gave {list(made.shape)} instead of {list(expected)}", MISFIT)
        return (made - self._shift) * self._scale

    def _run(self, planes: Latent) -> Latent:
        return self._session.run({"sample": planes}).astype(np.float32)[:, : self._channels]


MISFIT = "The parts of this model do not belong together, or config.json is that of another one: get the model again."
BROKEN = "Its weights are damaged, or too large for float16: get the model again, or another export of it."
