"""Models of random weights in the sizes of Stable Diffusion, for image_peers.py: in torch, in ONNX, and as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
DOWN, CROSS_DOWN, UP, CROSS_UP = "DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"


@dataclass(frozen=True, slots=True)
class Size:
    """What differs between models: of the UNet, the auto-encoder's channels, and (width, layers) of each text encoder."""

    unet: dict[str, Any]
    channels: tuple[int, ...]
    texts: tuple[tuple[int, int], ...]


def _xl(channels: tuple[int, int, int], heads: tuple[int, int, int], depths: tuple[int, int, int], wide: int) -> Any:
    """A UNet as SDXL's; `wide`: both text encoders together, of which the second is 1280 / 2048."""
    return {
        "block_out_channels": channels,
        "attention_head_dim": heads,
        "transformer_layers_per_block": depths,
        "down_block_types": (DOWN, CROSS_DOWN, CROSS_DOWN),
        "up_block_types": (CROSS_UP, CROSS_UP, UP),
        "cross_attention_dim": wide,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": wide * 5 // 8 + 6 * 256,
    }


SD15 = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
TINY = {"sample_size": 8, "cross_attention_dim": 32, "attention_head_dim": 4, "block_out_channels": (32, 64, 64, 64)}
SIZES = {
    "sd15": Size(SD15, (128, 256, 512, 512), ((768, 12),)),
    "sd15-tiny": Size(TINY, (32, 32, 32, 32), ((32, 2),)),
    "sdxl": Size(
        {"sample_size": 128, **_xl((320, 640, 1280), (5, 10, 20), (1, 2, 10), 2048)},
        (128, 256, 512, 512),
        ((768, 12), (1280, 12)),
    ),
    "sdxl-tiny": Size({"sample_size": 8, **_xl((32, 64, 64), (2, 4, 4), (1, 1, 2), 64)}, (32,) * 4, ((24, 2), (40, 2))),
}


def make(folder: Path, device: str, size: str) -> None:
    """The torch half is written here, the ONNX half by optimum's own exporter; ours is what `models add` makes of that."""
    import torch

    torch.manual_seed(0)
    _pipeline(folder, SIZES[size]).save_pretrained(folder / "torch")
    command = ["export", "onnx", "--model", str(folder / "torch"), "--task", "text-to-image"]
    command += [] if device == "cpu" else ["--device", device, "--dtype", "fp16"]
    command.append(str(folder / "onnx"))
    subprocess.run([Path(sys.executable).with_name("optimum-cli"), *command], check=True)
    ours = ["models", "add", str(folder / "onnx"), "--name", "bench", "--data-dir", str(folder / "data")]
    subprocess.run([sys.executable, "-m", "hordenode", *ours], check=True)


def _pipeline(folder: Path, size: Size) -> Any:
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )

    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel(**size.unet),
        "vae": AutoencoderKL(
            block_out_channels=size.channels,
            down_block_types=("DownEncoderBlock2D",) * len(size.channels),
            up_block_types=("UpDecoderBlock2D",) * len(size.channels),
            layers_per_block=2,
            sample_size=size.unet["sample_size"] * 8,
        ),
        "scheduler": DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False),
        **_texts(folder / "tokenizer", size),
    }
    if len(size.texts) > 1:
        return StableDiffusionXLPipeline(**parts)
    return StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )  # fmt: skip


def _texts(files: Path, size: Size) -> dict[str, Any]:
    """Text encoders, with a tokenizer that knows letters alone."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    files.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (files / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (files / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    made: dict[str, Any] = {}
    for suffix, (width, layers), kind in zip(
        ("", "_2"), size.texts, (CLIPTextModel, CLIPTextModelWithProjection), strict=False
    ):
        config = CLIPTextConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=max(width // 64, 2),
            projection_dim=width,
            eos_token_id=len(words) - 1,
        )
        made[f"text_encoder{suffix}"] = kind(config)
        made[f"tokenizer{suffix}"] = CLIPTokenizer(files / "vocab.json", files / "merges.txt", model_max_length=77)
    return made
