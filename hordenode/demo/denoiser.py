# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""The text encoder and the denoiser of the image model."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hordenode.demo.autoencoder import LATENT_CHANNELS

TEXT_WIDTH = 128
TEXT_LENGTH = 40
# Half a wave to four waves from edge to edge tell places apart.
WAVES = (math.pi / 2, math.pi, 2 * math.pi, 4 * math.pi)


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
        self.first_norm = nn.LayerNorm(channels)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * out_channels)
        self.second_norm = nn.LayerNorm(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, channels, h, w] to [B, out_channels, h, w]; the embedding is [B, embedding]."""
        y = self.first(F.silu(over_channels(self.first_norm, x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        y = over_channels(self.second_norm, y) * (1 + scale) + shift
        return cast(Tensor, self.skip(x) + self.second(F.silu(y)))


class Block(nn.Module):
    """Every place looks at every other place and at the caption at once, then thinks for itself.

    Before and after both, the time and caption embedding scales and shifts (Peebles and Xie, "DiT", 2023), by one
    linear layer for all blocks and an offset for each.
    """

    def __init__(self, width: int, head_size: int = 56) -> None:
        super().__init__()
        self.heads = width // head_size
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.places = nn.Linear(width, 3 * width, bias=False)
        self.words = nn.Linear(TEXT_WIDTH, 2 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.feed = FeedForward(width, 3)
        self.offset = nn.Parameter(torch.zeros(6 * width))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast(Tensor, self.feed[2].weight))

    def forward(self, x: Tensor, text: Tensor, modulation: Tensor) -> Tensor:
        """Map [B, n, width] to the same shape; text is [B, L, 128], modulation [B, 6 width]."""
        steps = (modulation + self.offset.to(modulation.dtype))[:, None].chunk(6, dim=-1)
        x = x + (1 + steps[2]) * self._look(self.norm(x) * (1 + steps[0]) + steps[1], text)
        return x + cast(Tensor, (1 + steps[5]) * self.feed(self.feed_norm(x) * (1 + steps[3]) + steps[4]))

    def _look(self, x: Tensor, text: Tensor) -> Tensor:
        query, key, value = self.places(x).chunk(3, dim=-1)
        word_key, word_value = self.words(text).chunk(2, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (query, torch.cat([key, word_key], dim=1), torch.cat([value, word_value], dim=1))
        )
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        mixed = scores.softmax(dim=-1).to(value.dtype) @ value
        return cast(Tensor, self.out(mixed.transpose(1, 2).flatten(2)))


class Denoiser(nn.Module):
    """Convolutions at 16 x 16 places (for 256 pixels) around a transformer at 8 x 8 that predicts v."""

    def __init__(self, fine: int = 96, width: int = 224, blocks: int = 6, embedding: int = 224) -> None:
        super().__init__()
        self.frequencies = 64
        self.time = nn.Sequential(
            nn.Linear(2 * self.frequencies, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.caption = nn.Linear(TEXT_WIDTH, embedding)
        # Two more channels tell every place where it is: relations are about places.
        self.enter = nn.Conv2d(LATENT_CHANNELS + 2, fine, 3, padding=1)
        self.before = Residual(fine, fine, embedding)
        self.shrink = nn.Conv2d(fine, width, 2, stride=2)
        self.where = nn.Linear(2 + 4 * len(WAVES), width)
        self.modulation = nn.Linear(embedding, 6 * width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.grow = nn.Linear(width, 4 * fine)
        self.after = Residual(2 * fine, fine, embedding)
        self.last = Residual(fine, fine, embedding)
        self.leave_norm = nn.LayerNorm(fine)
        self.leave = nn.Conv2d(fine, LATENT_CHANNELS, 3, padding=1)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.leave.weight)

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        """Predict v [B, 16, h, w] for a sample of that shape; h and w are even.

        `timestep` is [B] or [1], 0 to 999; `encoder_hidden_states` is [B, L, 128].
        """
        text = encoder_hidden_states
        embedding = F.silu(self.time(self._waves(timestep)) + self.caption(text.mean(dim=1)))
        places = _coordinates(sample)
        fine = self.before(self.enter(torch.cat([sample, places], dim=1)), embedding)
        coarse = self.shrink(fine)
        x = coarse.flatten(2).transpose(1, 2)
        x = x + self.where(_fourier(places)).to(x.dtype)
        modulation = self.modulation(embedding)
        for block in self.blocks:
            x = block(x, text, modulation)
        grown = self.grow(x).transpose(1, 2).unflatten(2, coarse.shape[2:])
        y = torch.cat([F.pixel_shuffle(grown, 2), fine], dim=1).contiguous(memory_format=torch.channels_last)
        y = self.last(self.after(y, embedding), embedding)
        return cast(Tensor, self.leave(F.silu(over_channels(self.leave_norm, y))))

    def _waves(self, timestep: Tensor) -> Tensor:
        """Sines and cosines [B, 128] of the timestep."""
        exponents = torch.arange(self.frequencies, device=timestep.device) / self.frequencies
        angles = timestep.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def over_channels(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Normalize every place of [B, C, h, w]; laid out channels last, that moves nothing and is fast on a CPU."""
    return cast(Tensor, norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


def _coordinates(sample: Tensor) -> Tensor:
    """Horizontal and vertical position [B, 2, h, w] of every place, -1 to 1."""
    rows = torch.ones_like(sample[:, :1]).cumsum(dim=2) - 0.5
    columns = torch.ones_like(sample[:, :1]).cumsum(dim=3) - 0.5
    places = torch.cat([columns / sample.shape[3], rows / sample.shape[2]], dim=1)
    return places * 2 - 1


def _fourier(places: Tensor) -> Tensor:
    """Positions [B, 2, h, w] and waves of them, at every second place: [B, h w / 4, 18]."""
    coarse = F.avg_pool2d(places, 2).flatten(2).transpose(1, 2)
    waves = [wave for factor in WAVES for wave in ((coarse * factor).sin(), (coarse * factor).cos())]
    return torch.cat([coarse, *waves], dim=-1)
