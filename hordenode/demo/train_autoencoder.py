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

BATCH = 16
# Pictures on which quality is measured.
HELD_OUT = 192
# Less noise than in the first training: the latents no longer need to be taught to be smooth.
REFINING_NOISE = 0.02


def to_tensor(pixels: Pixels) -> Tensor:
    """Turn uint8 [B, H, W, 3] into floats [B, 3, H, W] in -1..1, laid out channels last."""
    scaled = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    return scaled.contiguous(memory_format=torch.channels_last)


def draw_batch(random: torch.Generator) -> Tensor:
    """Draw pictures [16, 3, 256, 256] of seeds that are not held out."""
    seeds = torch.randint(HELD_OUT_SEED, (BATCH,), generator=random)
    return to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds.tolist()]))


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Absolute and squared error, and the error of the slopes, which keeps edges sharp."""
    error = output - target
    slopes = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 0.5 * slopes


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
    print(f"held-out PSNR {held_out_quality(model):.2f} dB", flush=True)


def held_out_quality(model: AutoEncoder) -> float:
    """Return the peak signal-to-noise ratio in dB over pictures that were kept from training."""
    errors = []
    with torch.no_grad():
        for first in range(0, HELD_OUT, BATCH):
            seeds = range(HELD_OUT_SEED + first, HELD_OUT_SEED + first + BATCH)
            target = to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds]))
            errors.append(F.mse_loss(model.decode(model.encode(target)).clamp(-1, 1), target).item())
    return 10 * math.log10(4 / float(np.mean(errors)))


def refine_decoder(folder: Path, plan: Plan) -> None:
    """Train the decoder alone on the finished encoder: sharper pictures from latents that stay as they are."""
    torch.manual_seed(4)
    model = AutoEncoder()
    load_average(model, folder / "autoencoder.pt")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)

    def loss(random: torch.Generator) -> Tensor:
        batch = draw_batch(random)
        with half_precision():
            with torch.no_grad():
                latents = model.encode(batch)
            output = model.decode(latents + REFINING_NOISE * torch.randn(latents.shape, generator=random))
        return reconstruction_loss(output.float(), batch)

    Trainer(model, plan, folder / "decoder.pt", seed=5).run(loss)
    load_average(model, folder / "decoder.pt")
    print(f"held-out PSNR with the refined decoder {held_out_quality(model):.2f} dB", flush=True)
