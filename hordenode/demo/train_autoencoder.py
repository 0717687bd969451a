# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Trains the auto-encoder on pictures that are drawn as they are needed: no picture is seen twice."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hordenode.demo.autoencoder import AutoEncoder
from hordenode.demo.draw import HELD_OUT_SEED, draw_picture
from hordenode.demo.palette import Pixels
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

BATCH = 24
# Pictures on which quality is measured.
HELD_OUT = 192


def to_tensor(pixels: Pixels) -> Tensor:
    """Turn uint8 [B, H, W, 3] into floats [B, 3, H, W] in -1..1, laid out channels last."""
    scaled = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    return scaled.contiguous(memory_format=torch.channels_last)


def draw_batch(random: torch.Generator) -> Tensor:
    """Draw pictures of half the side, [24, 3, 128, 128], of seeds that are not held out."""
    seeds = torch.randint(HELD_OUT_SEED, (BATCH,), generator=random)
    return halved(to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds.tolist()])))


def halved(pixels: Tensor) -> Tensor:
    """Halve the side of pictures [B, 3, H, W]."""
    return F.avg_pool2d(pixels, 2)


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Absolute and squared error, and the error of the slopes, which keeps edges sharp."""
    error = output - target
    slopes = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 4 * error.square().mean() + 0.5 * slopes


def train_autoencoder(folder: Path, plan: Plan) -> None:
    """Train, or go on training, the auto-encoder and print its held-out quality."""
    torch.manual_seed(0)
    model = AutoEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"auto-encoder: {count_parameters([model]):.2f}M weights", flush=True)

    def loss(random: torch.Generator) -> Tensor:
        batch = draw_batch(random)
        with half_precision():
            output = model(batch)
        return reconstruction_loss(output.float(), batch)

    Trainer(model, plan, folder / "autoencoder.pt", seed=1).run(loss)
    load_average(model, folder / "autoencoder.pt")
    print(f"held-out PSNR {held_out_quality(model):.2f} dB at half the side", flush=True)


def held_out_quality(model: AutoEncoder) -> float:
    """Return the peak signal-to-noise ratio in dB over pictures of half the side that were kept from training."""
    errors = []
    with torch.no_grad():
        for first in range(0, HELD_OUT, BATCH):
            seeds = range(HELD_OUT_SEED + first, HELD_OUT_SEED + first + BATCH)
            target = halved(to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds])))
            again = model.decode_small(model.encode_small(target)).clamp(-1, 1)
            errors.append(F.mse_loss(again, target).item())
    return 10 * math.log10(4 / float(np.mean(errors)))
