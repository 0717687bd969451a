# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Draws the data set and trains the auto-encoder on it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hordenode.demo.autoencoder import AutoEncoder
from hordenode.demo.draw import draw_picture
from hordenode.demo.palette import Pixels
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

BATCH = 16
# Pictures beyond the training set, never trained on, on which quality is measured.
HELD_OUT = 128
# Less noise than in the first training: the latents no longer need to be taught to be smooth.
REFINING_NOISE = 0.03


def draw_data(folder: Path, count: int) -> tuple[Pixels, list[tuple[str, ...]]]:
    """Return pixels [count, 128, 128, 3] and captions of the pictures of seeds 0 to count, cached in the folder."""
    pixels_file, captions_file = folder / f"pixels-{count}.npy", folder / f"captions-{count}.json"
    if not captions_file.exists():
        pictures = [draw_picture(seed) for seed in range(count)]
        np.save(pixels_file, np.stack([picture.pixels for picture in pictures]))
        captions_file.write_text(json.dumps([picture.captions for picture in pictures]))
    captions = [tuple(texts) for texts in json.loads(captions_file.read_text())]
    return np.load(pixels_file, mmap_mode="r"), captions


def to_tensor(pixels: Pixels) -> Tensor:
    """Turn uint8 [B, H, W, 3] into floats [B, 3, H, W] in -1..1, laid out channels last."""
    scaled = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    return scaled.contiguous(memory_format=torch.channels_last)


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Absolute and squared error, and the error of the slopes, which keeps edges sharp."""
    error = output - target
    slopes = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + error.square().mean() + 0.5 * slopes


def train_autoencoder(folder: Path, plan: Plan, pictures: int) -> None:
    """Train, or go on training, the auto-encoder and print its held-out quality."""
    pixels, _ = draw_data(folder, pictures)
    torch.manual_seed(0)
    model = AutoEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"auto-encoder: {count_parameters([model]):.2f}M weights, {pictures} pictures", flush=True)

    def loss(random: torch.Generator) -> Tensor:
        chosen = torch.randint(0, pictures - HELD_OUT, (BATCH,), generator=random).numpy()
        batch = to_tensor(pixels[np.sort(chosen)])
        with half_precision():
            output = model(batch)
        return reconstruction_loss(output.float(), batch)

    Trainer(model, plan, folder / "autoencoder.pt", seed=1).run(loss)
    load_average(model, folder / "autoencoder.pt")
    print(f"held-out PSNR {held_out_quality(model, pixels):.2f} dB", flush=True)


def held_out_quality(model: AutoEncoder, pixels: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB over the pictures that were kept from training."""
    with torch.no_grad():
        target = to_tensor(pixels[-HELD_OUT:])
        output = model.decode(model.encode(target)).clamp(-1, 1)
        return 10 * math.log10(4 / F.mse_loss(output, target).item())


def refine_decoder(folder: Path, plan: Plan, pictures: int) -> None:
    """Train the decoder alone on the finished encoder: sharper pictures from latents that stay as they are."""
    pixels, _ = draw_data(folder, pictures)
    torch.manual_seed(4)
    model = AutoEncoder()
    load_average(model, folder / "autoencoder.pt")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)

    def loss(random: torch.Generator) -> Tensor:
        chosen = torch.randint(0, pictures - HELD_OUT, (BATCH,), generator=random).numpy()
        batch = to_tensor(pixels[np.sort(chosen)])
        with half_precision():
            with torch.no_grad():
                latents = model.encode(batch)
            output = model.decode(latents + REFINING_NOISE * torch.randn(latents.shape, generator=random))
        return reconstruction_loss(output.float(), batch)

    Trainer(model, plan, folder / "decoder.pt", seed=5).run(loss)
    load_average(model, folder / "decoder.pt")
    print(f"held-out PSNR with the refined decoder {held_out_quality(model, pixels):.2f} dB", flush=True)
