# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""The text encoder and the UNet of the image model."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hordenode.demo.autoencoder import LATENT_CHANNELS

TEXT_WIDTH = 128
TEXT_LENGTH = 40


class Attention(nn.Module):
    """Multi-head attention from one sequence to another (or to itself)."""

    def __init__(self, width: int, source_width: int, head_size: int = 32) -> None:
        super().__init__()
        self.heads = width // head_size
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(source_width, width, bias=False)
        self.value = nn.Linear(source_width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """Map x [B, n, width] and source [B, m, source_width] to [B, n, width]."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(x), self.key(source), self.value(source))
        )
        # Written out: at these sizes it is faster on a CPU than the fused operator, above all backwards.
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        mixed = scores.softmax(dim=-1).to(value.dtype) @ value
        return cast(Tensor, self.out(mixed.transpose(1, 2).flatten(2)))


class FeedForward(nn.Sequential):
    """Two linear layers, position by position."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__(nn.Linear(width, width * factor), nn.GELU(), nn.Linear(width * factor, width))


class TextLayer(nn.Module):
    """Self-attention in both directions, so that 'red' can learn from a later 'above' where it belongs."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, L, width] to the same shape."""
        y = self.attention_norm(x)
        x = x + self.attention(y, y)
        return x + cast(Tensor, self.feed(self.feed_norm(x)))


class TextEncoder(nn.Module):
    """Turns caption tokens into the states that the UNet looks at."""

    def __init__(self, vocabulary: int, layers: int = 4, width: int = TEXT_WIDTH) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.randn(TEXT_LENGTH, width) * 0.02)
        self.layers = nn.ModuleList(TextLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.05)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map token ids [B, L], L at most 40, to states [B, L, 128]."""
        x = self.tokens(input_ids) + self.places[: input_ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return cast(Tensor, self.norm(x))


class Residual(nn.Module):
    """Two convolutions, the second one scaled and shifted by the time and caption embedding."""

    def __init__(self, channels: int, out_channels: int, embedding: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(16, channels)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * out_channels)
        self.second_norm = nn.GroupNorm(16, out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, channels, h, w] to [B, out_channels, h, w]; the embedding is [B, embedding]."""
        y = self.first(F.silu(self.first_norm(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        y = self.second_norm(y) * (1 + scale) + shift
        return cast(Tensor, self.skip(x) + self.second(F.silu(y)))


class Looking(nn.Module):
    """Every place looks at every other place, then at the caption."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = Attention(channels, channels)
        self.cross_norm = nn.LayerNorm(channels)
        self.cross_attention = Attention(channels, TEXT_WIDTH)
        self.feed_norm = nn.LayerNorm(channels)
        self.feed = FeedForward(channels, 2)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """Map [B, channels, h, w] to the same shape; text is [B, L, 128]."""
        places = x.flatten(2).transpose(1, 2)
        y = self.self_norm(places)
        places = places + self.self_attention(y, y)
        places = places + self.cross_attention(self.cross_norm(places), text)
        places = places + self.feed(self.feed_norm(places))
        return cast(Tensor, places.transpose(1, 2).unflatten(2, x.shape[2:]))


class Stage(nn.Module):
    """A residual block and, in the deeper stages, a look at the caption."""

    def __init__(self, channels: int, out_channels: int, embedding: int, *, looks: bool) -> None:
        super().__init__()
        self.residual = Residual(channels, out_channels, embedding)
        self.looking = Looking(out_channels) if looks else None

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor) -> Tensor:
        """Map [B, channels, h, w] to [B, out_channels, h, w]."""
        x = self.residual(x, embedding)
        return x if self.looking is None else cast(Tensor, self.looking(x, text))


class Denoiser(nn.Module):
    """A UNet over three sizes (16, 8 and 4 places a side at 256 pixels) that predicts v."""

    def __init__(self, channels: tuple[int, int, int] = (96, 160, 160), embedding: int = 192) -> None:
        super().__init__()
        wide, middle, deep = channels
        self.frequencies = 64
        self.time = nn.Sequential(
            nn.Linear(2 * self.frequencies, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.caption = nn.Linear(TEXT_WIDTH, embedding)
        # Two more channels tell every place where it is: relations are about places.
        self.enter = nn.Conv2d(LATENT_CHANNELS + 2, wide, 3, padding=1)
        down = ((wide, wide, True), (wide, middle, True), (middle, middle, True), (middle, deep, True))
        self.down = nn.ModuleList(Stage(a, b, embedding, looks=looks) for a, b, looks in down)
        self.middle = Stage(deep, deep, embedding, looks=True)
        up = (
            (2 * deep, deep, True),
            (deep + middle, middle, True),
            (2 * middle, middle, True),
            (middle + wide, wide, True),
            (2 * wide, wide, False),
        )
        self.up = nn.ModuleList(Stage(a, b, embedding, looks=looks) for a, b, looks in up)
        self.leave_norm = nn.GroupNorm(16, wide)
        self.leave = nn.Conv2d(wide, LATENT_CHANNELS, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        """Predict v [B, 8, h, w] for a sample of that shape; h and w are multiples of 4.

        `timestep` is [B] or [1], 0 to 999; `encoder_hidden_states` is [B, L, 128].
        """
        text = encoder_hidden_states
        embedding = F.silu(self.time(self._waves(timestep)) + self.caption(text.mean(dim=1)))
        start = self.enter(torch.cat([sample, _coordinates(sample)], dim=1))
        one = self.down[0](start, embedding, text)
        two = self.down[1](F.avg_pool2d(one, 2), embedding, text)
        three = self.down[2](two, embedding, text)
        four = self.down[3](F.avg_pool2d(three, 2), embedding, text)
        x = self.middle(four, embedding, text)
        x = self.up[0](torch.cat([x, four], dim=1), embedding, text)
        x = self.up[1](torch.cat([_twice(x), three], dim=1), embedding, text)
        x = self.up[2](torch.cat([x, two], dim=1), embedding, text)
        x = self.up[3](torch.cat([_twice(x), one], dim=1), embedding, text)
        x = self.up[4](torch.cat([x, start], dim=1), embedding, text)
        return cast(Tensor, self.leave(F.silu(self.leave_norm(x))))

    def _waves(self, timestep: Tensor) -> Tensor:
        """Sines and cosines [B, 128] of the timestep."""
        exponents = torch.arange(self.frequencies, device=timestep.device) / self.frequencies
        angles = timestep.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _coordinates(sample: Tensor) -> Tensor:
    """Horizontal and vertical position [B, 2, h, w] of every place, -1 to 1."""
    rows = torch.ones_like(sample[:, :1]).cumsum(dim=2)
    columns = torch.ones_like(sample[:, :1]).cumsum(dim=3)
    places = torch.cat([columns / sample.shape[3], rows / sample.shape[2]], dim=1)
    return places * 2 - 1
