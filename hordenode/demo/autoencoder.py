# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""The picture auto-encoder: 256 x 256 pixels to 16 x 16 latents of 16 channels and back.

It works on pictures of half the side, which the upscaler enlarges: drawings lose next to nothing by that, and a step
costs a quarter. The denoiser's grid stays at 16 x 16, where a step on a CPU takes no longer than for pictures of 128.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn, randn

LATENT_CHANNELS = 16
FACTOR = 16
# Noise on the latents in training: the decoder learns to forgive a denoiser's small errors.
FORGIVING = 0.04


class Residual(nn.Module):
    """Two 3 x 3 convolutions around which the input passes unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, h, w] to the same shape."""
        y = self.second(F.silu(self.first(F.silu(self.norm(x)))))
        return x + cast(Tensor, y)


class AutoEncoder(nn.Module):
    """Works at an eighth and a sixteenth of the picture's side only, where convolutions are cheap."""

    def __init__(self, wide: int = 64, deep: int = 128) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, wide, 3, padding=1),
            Residual(wide),
            nn.Conv2d(wide, deep, 3, stride=2, padding=1),
            Residual(deep),
            nn.Conv2d(deep, LATENT_CHANNELS, 1),
        )
        # Latents of unit variance: the noise below then has the same weight in every channel.
        self.latent_norm = nn.BatchNorm2d(LATENT_CHANNELS, affine=False, momentum=0.02)
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, deep, 3, padding=1),
            Residual(deep),
            Residual(deep),
            nn.Conv2d(deep, wide * 4, 1),
            nn.PixelShuffle(2),
            Residual(wide),
            Residual(wide),
            nn.GroupNorm(8, wide),
            nn.SiLU(),
            nn.Conv2d(wide, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 3, H, W] in -1..1 to latents [B, 16, H/16, W/16] of about unit variance."""
        return self.encode_small(F.avg_pool2d(pixels, 2))

    def encode_small(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 3, h, w] of half the side to latents [B, 16, h/8, w/8]."""
        return cast(Tensor, self.latent_norm(self.encoder(pixels)))

    def decode_small(self, latents: Tensor) -> Tensor:
        """Map latents back to pixels of half the picture's side, about -1..1 (not clamped)."""
        return cast(Tensor, self.decoder(latents))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the reconstruction [B, 3, h, w] of pictures of half the side, through noisy latents."""
        latents = self.encode_small(pixels)
        return self.decode_small(latents + FORGIVING * randn(latents.shape, dtype=latents.dtype))
