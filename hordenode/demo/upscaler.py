# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Doubles the side of a demo picture with sharp edges: a few convolutions and a pixel shuffle (arXiv:1609.05158)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hordenode.demo.draw import HELD_OUT_SEED, SIZE, draw_picture
from hordenode.demo.onnx_files import store_half
from hordenode.demo.train_autoencoder import to_tensor
from hordenode.demo.training import Plan, Trainer, count_parameters, load_average

CHECKPOINT = "upscaler.pt"
# Crops of large pictures: a batch of few drawings shows many edges.
PICTURES, CROPS, CROP = 4, 4, 96
HELD_OUT = 24


class Upscaler(nn.Module):
    """From pixels [B, 3, H, W] in 0..1 to [B, 3, 2H, 2W]; learns what is missing in the bicubic enlargement."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.PReLU(width),
            nn.Conv2d(width, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Enlarge."""
        plain = F.interpolate(pixels, scale_factor=2.0, mode="bicubic", align_corners=False)
        # Centred and scaled, so that inputs and corrections are of the order of one.
        return plain + cast(Tensor, self.body((pixels - 0.5) * 4)) * 0.1


def train_upscaler(folder: Path, plan: Plan) -> None:
    """Train, or go on training, the upscaler and print its held-out quality beside that of bicubic enlargement."""
    torch.manual_seed(8)
    model = Upscaler().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"upscaler: {count_parameters([model]):.3f}M weights", flush=True)

    def loss(random: torch.Generator) -> Tensor:
        target = _crops(random)
        error = model(F.avg_pool2d(target, 2)) - target
        # Squares weigh the edges, which are few; the absolute error keeps plain areas plain.
        return 30 * error.square().mean() + error.abs().mean()

    Trainer(model, plan, folder / CHECKPOINT, seed=9).run(loss)
    load_average(model, folder / CHECKPOINT)
    print("upscaler held-out PSNR {:.2f} dB, bicubic {:.2f} dB".format(*held_out_quality(model)), flush=True)


def held_out_quality(model: Upscaler) -> tuple[float, float]:
    """Return the PSNR in dB of the model and of bicubic enlargement over held-out drawings of 256 pixels."""
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + HELD_OUT)
    target = _drawn(list(seeds))
    small = F.avg_pool2d(target, 2)
    with torch.no_grad():
        learned = model(small)
    bicubic = F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False)
    errors = (F.mse_loss(picture.clamp(0, 1), target).item() for picture in (learned, bicubic))
    learned_db, bicubic_db = (-10 * math.log10(error) for error in errors)
    return learned_db, bicubic_db


def export_upscaler(folder: Path, target: Path) -> None:
    """Write the averaged weights of the checkpoint as `target`/model.onnx, for pictures of any size."""
    model = Upscaler()
    steps = load_average(model, folder / CHECKPOINT)
    file = target / "model.onnx"
    target.mkdir(parents=True, exist_ok=True)
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 32, 32),),
        str(file),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": axes, "output": {0: "batch", 2: "height_2", 3: "width_2"}},
        opset_version=18,
        do_constant_folding=False,
        dynamo=False,
    )
    onnx.save(store_half(onnx.load(str(file))), str(file))
    print(f"upscaler of {steps} steps exported", flush=True)


def _crops(random: torch.Generator) -> Tensor:
    """Return crops [16, 3, 96, 96] in 0..1 of drawings that are not held out."""
    pictures = _drawn(torch.randint(HELD_OUT_SEED, (PICTURES,), generator=random).tolist())
    places = torch.randint((SIZE - CROP) // 2, (PICTURES * CROPS, 2), generator=random).mul(2).tolist()
    crops = [pictures[i % PICTURES, :, y : y + CROP, x : x + CROP] for i, (y, x) in enumerate(places)]
    return torch.stack(crops).contiguous(memory_format=torch.channels_last)


def _drawn(seeds: list[int]) -> Tensor:
    return to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds])).add(1).div(2)
