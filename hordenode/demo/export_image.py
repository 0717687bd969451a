# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Exports the image model as a Stable Diffusion folder of ONNX files, and checks each of them against torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, processors
from torch import Tensor, nn

from hordenode.demo.autoencoder import FACTOR, LATENT_CHANNELS, AutoEncoder
from hordenode.demo.denoiser import TEXT_LENGTH, TEXT_WIDTH
from hordenode.demo.onnx_files import store_half, write_json
from hordenode.demo.painter import Painter, load_painter
from hordenode.demo.schedule import SCHEDULER_CONFIG
from hordenode.demo.train_image import END, END_ID, START, START_ID, STATISTICS, ImageModel, load_tokenizer
from hordenode.demo.training import load_average

OPSET = 18
NATIVE_LATENT = 16
# Rounding the weights to float16 moves outputs, which are of the order of one, by less than this.
TOLERANCE = 3e-2


class Decoder(nn.Module):
    """From the denoiser's latents to pixels: the latents' mean and deviation are part of the graph."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, painter: Painter, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.painter = painter
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, latent_sample: Tensor) -> Tensor:
        """Map [B, 16, h, w] to pixels [B, 3, 16h, 16w] in -1..1."""
        return self.painter(latent_sample * self.deviation + self.mean).clamp(-1, 1)


class Encoder(nn.Module):
    """From pixels to the denoiser's latents, for pictures that start from a picture.

    The auto-encoder's own norm is written out, so that the exporter leaves its weights as they are.
    """

    mean: Tensor
    deviation: Tensor
    norm_mean: Tensor
    norm_deviation: Tensor

    def __init__(self, auto: AutoEncoder, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.encoder = auto.encoder
        norm = auto.latent_norm
        norm_mean, variance = (cast(Tensor, value) for value in (norm.running_mean, norm.running_var))
        self.register_buffer("norm_mean", norm_mean.reshape(mean.shape))
        self.register_buffer("norm_deviation", (variance + norm.eps).sqrt().reshape(mean.shape))
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, sample: Tensor) -> Tensor:
        """Map pixels [B, 3, H, W] in -1..1 to [B, 16, H/16, W/16]."""
        latents = (self.encoder(F.avg_pool2d(sample, 2)) - self.norm_mean) / self.norm_deviation
        return (latents - self.mean) / self.deviation


@dataclass(frozen=True)
class Part:
    """One file of the folder: a module, example inputs, and the names of all axes of inputs and output."""

    folder: str
    module: nn.Module
    inputs: dict[str, tuple[Tensor, tuple[str, ...]]]
    output: str
    output_axes: tuple[str, ...]
    config: dict[str, object]


def export_image(folder: Path, target: Path) -> None:
    """Write the averaged weights of the checkpoints in `folder` to `target`.

    Raises AssertionError if a file's output differs from torch's by more than float16 weights explain.
    """
    tokenizer = load_tokenizer(folder)
    model, auto = ImageModel(tokenizer.get_vocab_size()), AutoEncoder()
    steps = load_average(model, folder / "denoiser.pt")
    load_average(auto, folder / "autoencoder.pt")
    kept = torch.load(folder / STATISTICS, weights_only=True)
    statistics = kept["mean"], kept["deviation"]
    for part in _parts(model, auto, load_painter(folder, auto), statistics, tokenizer.get_vocab_size()):
        export_part(part, target)
    write_tokenizer(tokenizer, target / "tokenizer")
    write_json(target / "scheduler" / "scheduler_config.json", SCHEDULER_CONFIG)
    write_json(target / "model_index.json", _index())
    print(f"image model of {steps} steps exported", flush=True)


def _parts(
    model: ImageModel, auto: AutoEncoder, painter: Painter, statistics: tuple[Tensor, Tensor], vocabulary: int
) -> list[Part]:
    random = torch.Generator().manual_seed(5)
    ids = torch.randint(0, vocabulary, (2, TEXT_LENGTH), generator=random)
    latents = torch.randn(2, LATENT_CHANNELS, NATIVE_LATENT, NATIVE_LATENT, generator=random)
    text = torch.randn(2, TEXT_LENGTH, TEXT_WIDTH, generator=random)
    pixels = torch.rand(2, 3, NATIVE_LATENT * FACTOR, NATIVE_LATENT * FACTOR, generator=random) * 2 - 1
    picture, small, words = (
        ("batch", "channels", "height", "width"),
        ("batch", "channels", "h", "w"),
        ("batch", "length"),
    )
    unet_inputs = {
        "sample": (latents, small),
        "timestep": (torch.tensor([400.0, 900.0]), ("timesteps",)),
        "encoder_hidden_states": (text, (*words, "width")),
    }
    return [
        Part(
            "text_encoder",
            model.text,
            {"input_ids": (ids, words)},
            "last_hidden_state",
            (*words, "width"),
            _text_config(vocabulary),
        ),
        Part("unet", model.denoiser, unet_inputs, "out_sample", small, _unet_config()),
        Part(
            "vae_decoder",
            Decoder(painter, *statistics),
            {"latent_sample": (latents, small)},
            "sample",
            picture,
            _auto_config(),
        ),
        Part(
            "vae_encoder",
            Encoder(auto, *statistics),
            {"sample": (pixels, picture)},
            "latent_sample",
            small,
            _auto_config(),
        ),
    ]


def export_part(part: Part, target: Path) -> None:
    """Write model.onnx and config.json of one part and compare with torch, also at another size."""
    file = target / part.folder / "model.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    part.module.eval()
    examples = {name: value for name, (value, _) in part.inputs.items()}
    free = ("batch", "length", "height", "width", "h", "w", "timesteps")
    axes = {
        name: {i: axis for i, axis in enumerate(names) if axis in free and not (axis == "width" and len(names) == 3)}
        for name, names in [*((n, a) for n, (_, a) in part.inputs.items()), (part.output, part.output_axes)]
    }
    torch.onnx.export(
        part.module,
        tuple(examples.values()),
        str(file),
        input_names=list(examples),
        output_names=[part.output],
        dynamic_axes=axes,
        opset_version=OPSET,
        # Folding would rename weights; the runtime folds when it loads the file.
        do_constant_folding=False,
        dynamo=False,
    )
    onnx.save(store_half(onnx.load(str(file))), str(file))
    write_json(file.parent / "config.json", part.config)
    difference = compare(part.module, list(examples.values()), file)
    if difference > TOLERANCE:
        raise AssertionError(f"{part.folder} differs from torch by {difference:.4f}")
    print(f"{part.folder}: {file.stat().st_size / 2**20:.2f} MiB, differs from torch by {difference:.1e}", flush=True)


def compare(module: nn.Module, inputs: Sequence[Tensor], file: Path) -> float:
    """Return the greatest difference between torch and the file, for two rows and for one."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    worst = 0.0
    for rows in (2, 1):
        part = [value[:rows] for value in inputs]
        feed = {name: value.numpy() for name, value in zip(names, part, strict=True)}
        with torch.no_grad():
            expected = module(*part).numpy()
        worst = max(worst, float(np.abs(session.run(None, feed)[0] - expected).max()))
    return worst


def write_tokenizer(tokenizer: Tokenizer, target: Path) -> None:
    """Write tokenizer.json and its configuration, with start and end around every text."""
    target.mkdir(parents=True, exist_ok=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} {START} $B {END}",
        special_tokens=[(START, START_ID), (END, END_ID)],
    )
    tokenizer.save(str(target / "tokenizer.json"))
    content: dict[str, object] = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "do_lower_case": True,
        "model_max_length": TEXT_LENGTH,
    }
    write_json(target / "tokenizer_config.json", content)


def _text_config(vocabulary: int) -> dict[str, object]:
    return {
        "architectures": ["CLIPTextModel"],
        "model_type": "clip_text_model",
        "hidden_size": TEXT_WIDTH,
        "max_position_embeddings": TEXT_LENGTH,
        "num_hidden_layers": 4,
        "vocab_size": vocabulary,
        "bos_token_id": START_ID,
        "eos_token_id": END_ID,
        "pad_token_id": END_ID,
    }


def _unet_config() -> dict[str, object]:
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": NATIVE_LATENT,
        "in_channels": LATENT_CHANNELS,
        "out_channels": LATENT_CHANNELS,
        "cross_attention_dim": TEXT_WIDTH,
        "time_cond_proj_dim": None,
    }


def _auto_config() -> dict[str, object]:
    # Mean and deviation of the latents are in the graphs.
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": NATIVE_LATENT * FACTOR,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": LATENT_CHANNELS,
        # One more than halvings: the latents' side is a sixteenth.
        "block_out_channels": [64, 64, 64, 64, 128],
        "scaling_factor": 1.0,
    }


def _index() -> dict[str, object]:
    runtime = ["diffusers", "OnnxRuntimeModel"]
    return {
        "_class_name": "OnnxStableDiffusionPipeline",
        "_diffusers_version": "0.39.0",
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": runtime,
        "tokenizer": ["transformers", "CLIPTokenizerFast"],
        "unet": runtime,
        "vae_decoder": runtime,
        "vae_encoder": runtime,
    }
