# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""A small network that sees what is where in a picture of our world; one of it judges the demo pictures."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hordenode.demo.autoencoder import Residual
from hordenode.demo.draw import HELD_OUT_SEED, draw_picture
from hordenode.demo.onnx_files import store_half
from hordenode.demo.sightings import CHANNELS, SIDE, target_map
from hordenode.demo.train_autoencoder import to_tensor
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

BATCH = 32
# The judge learns from held-out drawings, but not from those whose captions are the measured prompts.
FIRST_SEED, SEEDS = HELD_OUT_SEED + 10_000, 100_000_000
# Of the 30,000 cells of a map a handful are set: a missed one weighs this much.
WEIGHT_OF_A_THING = 20.0


class Detector(nn.Module):
    """From pixels [B, 3, 64, 64] in -1..1 to the logits of a map [B, 117, 16, 16]."""

    def __init__(self, wide: int = 48, deep: int = 96) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, wide, 5, stride=2, padding=2),
            Residual(wide),
            nn.Conv2d(wide, deep, 3, stride=2, padding=1),
            Residual(deep),
            Residual(deep),
        )
        self.coarse = nn.Sequential(nn.Conv2d(deep, deep, 3, stride=2, padding=1), Residual(deep), Residual(deep))
        self.head = nn.Sequential(nn.Conv2d(2 * deep, deep, 3, padding=1), nn.SiLU(), nn.Conv2d(deep, len(CHANNELS), 1))
        nn.init.constant_(cast(Tensor, cast(nn.Conv2d, self.head[-1]).bias), -6.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Look at the picture, finely and coarsely."""
        fine = self.body(pixels)
        wide = F.interpolate(self.coarse(fine), scale_factor=2.0, mode="nearest")
        return cast(Tensor, self.head(torch.cat([fine, wide], dim=1)))


class Eye(nn.Module):
    """The detector as it is used: any square picture in, probabilities out."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels [B, 3, 64, 64] to probabilities [B, 117, 16, 16]."""
        return self.detector(pixels).sigmoid()


def train_detector(folder: Path, plan: Plan) -> None:
    """Train, or go on training, the judge; writes judge.onnx into the folder."""
    torch.manual_seed(6)
    model = Detector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"detector: {count_parameters([model]):.2f}M weights", flush=True)
    weight = torch.tensor(WEIGHT_OF_A_THING)

    def loss(random: torch.Generator) -> Tensor:
        seeds = torch.randint(SEEDS, (BATCH,), generator=random)
        pictures = [draw_picture(FIRST_SEED + seed, SIDE) for seed in seeds.tolist()]
        pixels = worn(to_tensor(np.stack([picture.pixels for picture in pictures])), random)
        target = torch.from_numpy(np.stack([target_map(picture.items) for picture in pictures]))
        with half_precision():
            seen = model(pixels)
        return F.binary_cross_entropy_with_logits(seen.float(), target, pos_weight=weight) * target.shape[1]

    Trainer(model, plan, folder / "judge.pt", seed=7).run(loss)
    load_average(model, folder / "judge.pt")
    export_detector(model, folder / "judge.onnx")


def export_detector(model: Detector, file: Path) -> None:
    """Write the detector as an ONNX file with float16 weights."""
    eye = Eye(model).eval()
    torch.onnx.export(
        eye,
        (torch.zeros(2, 3, SIDE, SIDE),),
        str(file),
        input_names=["pixels"],
        output_names=["probability"],
        dynamic_axes={"pixels": {0: "batch"}, "probability": {0: "batch"}},
        opset_version=18,
        dynamo=False,
    )
    onnx.save(store_half(onnx.load(str(file))), str(file))


def worn(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Make pictures a little blurred and noisy, as those of a model are."""
    share = torch.rand(len(pixels), 1, 1, 1, generator=random)
    soft = F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    noise = torch.randn(pixels.shape, generator=random) * 0.08 * torch.rand(len(pixels), 1, 1, 1, generator=random)
    return (pixels.lerp(soft, share) + noise).contiguous(memory_format=torch.channels_last)
