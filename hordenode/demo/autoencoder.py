# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""The picture auto-encoder: 128 x 128 pixels to 16 x 16 latents and back."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn, randn

LATENT_CHANNELS = 8
FACTOR = 8


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
    """Works at a quarter and an eighth of the picture's side only, where convolutions are cheap."""

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
        """Map pixels [B, 3, H, W] in -1..1 to latents [B, 8, H/8, W/8] of about unit variance."""
        return cast(Tensor, self.latent_norm(self.encoder(pixels)))

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents back to pixels, about -1..1 (not clamped)."""
        return cast(Tensor, self.decoder(latents))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the reconstruction through noisy latents, so that the decoder forgives a denoiser's small errors."""
        latents = self.encode(pixels)
        return self.decode(latents + 0.08 * randn(latents.shape, dtype=latents.dtype))
