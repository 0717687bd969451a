# mypy: ignore-errors
"""Our images beside those of diffusers, live: the demo model by every sampler, and models as `models add` converts them.

Needs torch, diffusers and optimum-onnx (the extra `export-image`) and scipy beside the extra `test`:

    pytest -c tests/peers/pytest.ini tests/peers
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from optimum.onnxruntime import ORTStableDiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast

from hordenode.catalog import load_catalog
from hordenode.cli import main
from hordenode.config import EngineSettings
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.jobs import ImageJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.seeds import seeded
from tests.peers.original_layout import save_single

SEED, STEPS, SCALE = 7, 20, 5.0
PROMPT, NEGATIVE = "a red house by the sea at night", "blurry"
RUNTIME = Runtime(EngineSettings(threads=2, providers=("cpu",)))
JOB = ImageJob("job", "model", PROMPT, NEGATIVE, seeds=(SEED,), steps=STEPS, cfg_scale=SCALE, karras=False)
LENGTH = 77


def ours(model, **options):
    return next(ImagePipeline(model, RUNTIME).latents(replace(JOB, **options), None, lambda progress: None))


def theirs(pipe, shape, size, **options):
    noise = torch.from_numpy(seeded(SEED).standard_normal(shape, np.float32))
    ask = {"num_inference_steps": STEPS, "guidance_scale": SCALE, "height": size, "width": size} | options
    return np.asarray(pipe(PROMPT, negative_prompt=NEGATIVE, latents=noise, output_type="latent", **ask).images)


def error(made, expected):
    return float(np.abs(made - expected).max() / np.abs(expected).max())


@pytest.fixture(scope="module")
def demo():
    model = load_catalog().image["hordenode demo"]
    folder = model.path / "tokenizer"
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    words = {
        key: settings[key] for key in ("pad_token", "bos_token", "eos_token") if isinstance(settings.get(key), str)
    }
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), model_max_length=settings["model_max_length"], **words
    )
    return model, ORTStableDiffusionPipeline.from_pretrained(model.path, tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("sampler", "scheduler", "options"),
    [
        ("k_euler", EulerDiscreteScheduler, {}),
        ("k_heun", HeunDiscreteScheduler, {}),
        ("k_lms", LMSDiscreteScheduler, {}),
        ("k_dpmpp_2m", DPMSolverMultistepScheduler, {"final_sigmas_type": "zero", "lower_order_final": True}),
        ("DDIM", DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": True}),
    ],
)
def test_the_demo_model_draws_what_diffusers_draws(demo, sampler, scheduler, options):
    model, pipe = demo
    kept = pipe.scheduler.config
    pipe.scheduler = scheduler.from_config(kept, **options)
    side = 128
    made = ours(model, width=side, height=side, sampler=sampler)
    assert error(made, theirs(pipe, made.shape, side)) < 1e-3
    pipe.scheduler = EulerDiscreteScheduler.from_config(kept)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A Stable Diffusion 1 of full depth and little width, as a diffusers folder."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    files = folder / "words"
    files.mkdir()
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (files / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (files / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    end = len(words) - 1
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=end - 1,
        eos_token_id=end,
    )
    widths = (32, 64, 64, 64)
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(files / "vocab.json", files / "merges.txt", model_max_length=LENGTH),
        unet=UNet2DConditionModel(
            sample_size=64, block_out_channels=widths, cross_attention_dim=32, attention_head_dim=8
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder / "pipe")
    save_single(pipe, folder / "single.safetensors")
    return folder, pipe


def add(data, source, *more):
    words = [
        "models",
        "add",
        str(source),
        "--name",
        "added",
        "--data-dir",
        str(data),
        "--export-python",
        sys.executable,
    ]
    env = {"HORDENODE_ENGINE_PROVIDERS": "cpu"}
    result = CliRunner().invoke(main, [*words, *more], env=env)
    assert result.exit_code == 0, result.output
    return load_catalog(data).image["added"]


@pytest.mark.parametrize(
    ("source", "more", "tolerance"),
    [
        ("pipe", (), 1e-3),
        ("single.safetensors", ("--like",), 1e-3),
        ("pipe", ("--precision", "fp16"), 0.05),
        ("pipe", ("--precision", "int8"), 0.1),
    ],
)
def test_a_converted_model_draws_what_diffusers_draws(small, tmp_path, source, more, tolerance):
    folder, pipe = small
    more = ("--like", str(folder / "pipe")) if more == ("--like",) else more
    model = add(tmp_path / "data", folder / source, *more)
    made = ours(model, width=128, height=128, sampler="k_euler")
    assert error(made, theirs(pipe, made.shape, 128)) < tolerance
    names = json.loads((model.path / "unet" / "lora.json").read_text(encoding="utf-8"))
    kinds = ("Conv2d",) if "int8" in more else ("Linear", "Conv2d")  # rounded matrices take no LoRA
    modules = {name for name, each in pipe.unet.named_modules() if type(each).__name__ in kinds}
    assert modules <= set(names)
