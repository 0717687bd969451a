# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""From latents to pictures of full size: the auto-encoder's decoder and the upscaler behind it, refined together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hordenode.demo.autoencoder import FORGIVING, AutoEncoder
from hordenode.demo.draw import HELD_OUT_SEED, draw_picture
from hordenode.demo.onnx_files import fill, read_weights
from hordenode.demo.train_autoencoder import reconstruction_loss, to_tensor
from hordenode.demo.training import Plan, Trainer, half_precision, load_average
from hordenode.demo.upscaler import CHECKPOINT as UPSCALER_CHECKPOINT
from hordenode.demo.upscaler import Upscaler

CHECKPOINT = "decoder.pt"
SHIPPED_UPSCALER = Path(__file__).parent / "models" / "upscaler" / "model.onnx"
BATCH = 8
# Pictures on which quality is measured.
HELD_OUT = 192


class Painter(nn.Module):
    """Latents to pixels of full size."""

    def __init__(self, auto: AutoEncoder, upscaler: Upscaler) -> None:
        super().__init__()
        self.decoder = auto.decoder
        self.upscaler = upscaler

    def forward(self, latents: Tensor) -> Tensor:
        """Map the auto-encoder's latents [B, 16, h, w] to pixels [B, 3, 16h, 16w], about -1..1 (not clamped)."""
        small = self.decoder(latents).clamp(-1, 1)
        return cast(Tensor, self.upscaler((small + 1) / 2) * 2 - 1)


def load_painter(folder: Path, auto: AutoEncoder) -> Painter:
    """Return the refined painter of the training folder, or else its auto-encoder's decoder with an upscaler."""
    painter = Painter(auto, _upscaler(folder))
    if (folder / CHECKPOINT).exists():
        load_average(painter, folder / CHECKPOINT)
    return painter.eval()


def _upscaler(folder: Path) -> Upscaler:
    """Return the upscaler of the training folder, or else the shipped one."""
    upscaler = Upscaler()
    if (folder / UPSCALER_CHECKPOINT).exists():
        load_average(upscaler, folder / UPSCALER_CHECKPOINT)
    else:
        fill(upscaler, read_weights(SHIPPED_UPSCALER))
    return upscaler


def refine_painter(folder: Path, plan: Plan) -> None:
    """Train decoder and upscaler on pictures of full size; the encoder and so the latents stay as they are."""
    torch.manual_seed(4)
    auto = AutoEncoder()
    load_average(auto, folder / "autoencoder.pt")
    painter = Painter(auto, _upscaler(folder)).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(random: torch.Generator) -> Tensor:
        seeds = torch.randint(HELD_OUT_SEED, (BATCH,), generator=random)
        batch = to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds.tolist()]))
        with half_precision():
            with torch.no_grad():
                latents = auto.encode(batch)
            output = painter(latents + FORGIVING * torch.randn(latents.shape, generator=random))
        return reconstruction_loss(output.float(), batch)

    Trainer(painter, plan, folder / CHECKPOINT, seed=5).run(loss)
    print(f"held-out PSNR {held_out_quality(auto, load_painter(folder, auto)):.2f} dB", flush=True)


def held_out_quality(auto: AutoEncoder, painter: Painter) -> float:
    """Return the peak signal-to-noise ratio in dB over pictures of full size that were kept from training."""
    errors = []
    with torch.no_grad():
        for first in range(0, HELD_OUT, BATCH):
            seeds = range(HELD_OUT_SEED + first, HELD_OUT_SEED + first + BATCH)
            target = to_tensor(np.stack([draw_picture(seed).pixels for seed in seeds]))
            errors.append(F.mse_loss(painter(auto.encode(target)).clamp(-1, 1), target).item())
    return 10 * math.log10(4 / float(np.mean(errors)))
