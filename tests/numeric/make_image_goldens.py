# mypy: ignore-errors
"""Writes goldens/image/ (a tiny seeded Stable Diffusion as ONNX) and goldens/image.npz (what diffusers draws with it).

Run by hand where torch, diffusers and transformers are installed: python tests/numeric/make_image_goldens.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPTokenizerFast

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "image"
SIZE, STEPS, SCALE, SEED, LENGTH = 64, 8, 5.0, 7, 24
PROMPT, NEGATIVE = "A red circle, above:", "blurry photo"
TEXTS = (
    "A red circle, above: 2 blue squares!",
    "",
    "  it's   Über-naïve\tcafé 123 don't\n",
    "日本 ☃ x",
    "<|endoftext|>",
)


def tokenizer_files():
    """CLIP's files with single letters, and one merge."""
    folder = FOLDER / "tokenizer"
    folder.mkdir(parents=True)
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n", encoding="utf-8")
    config = {"model_max_length": LENGTH, "bos_token": {"content": "<|startoftext|>"}, "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": "<|endoftext|>"}), encoding="utf-8")
    return len(words)


def parts(vocabulary):
    """Text encoder, UNet and auto-encoder with random weights."""
    torch.manual_seed(0)
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            vocab_size=vocabulary,
            max_position_embeddings=LENGTH,
            **ends,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=8,
        block_out_channels=(16, 16),
        norm_num_groups=8,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        norm_num_groups=4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        sample_size=SIZE,
    )
    for module in (text, unet, vae):
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.data *= 2.5  # fresh weights hardly react to their inputs
    return text.eval(), unet.eval(), vae.eval()


class Wrapped(torch.nn.Module):
    """A module whose forward is a plain function of tensors."""

    def __init__(self, module, call):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs):
        return self.call(self.module, *inputs)


def export(name, module, call, inputs, output, dynamic):
    file = FOLDER / name / "model.onnx"
    file.parent.mkdir(parents=True)
    torch.onnx.export(
        Wrapped(module, call),
        tuple(inputs.values()),
        str(file),
        input_names=list(inputs),
        output_names=[output],
        dynamic_axes=dynamic,
        opset_version=17,
        dynamo=False,
    )


def export_all(text, unet, vae):
    latent, states = torch.zeros(2, 4, 8, 8), torch.zeros(2, LENGTH, 16)
    export(
        "text_encoder",
        text,
        lambda m, ids: m(ids).last_hidden_state,
        {"input_ids": torch.zeros(2, LENGTH, dtype=torch.int64)},
        "last_hidden_state",
        {"input_ids": {0: "batch"}},
    )
    export(
        "unet",
        unet,
        lambda m, x, t, h: m(x, t, h).sample,
        {"sample": latent, "timestep": torch.tensor(1, dtype=torch.int64), "encoder_hidden_states": states},
        "out_sample",
        {"sample": {0: "batch", 2: "h", 3: "w"}, "encoder_hidden_states": {0: "batch", 1: "length"}},
    )
    export(
        "vae_decoder",
        vae,
        lambda m, x: m.decode(x).sample,
        {"latent_sample": latent[:1]},
        "sample",
        {"latent_sample": {0: "batch", 2: "h", 3: "w"}},
    )
    (FOLDER / "unet" / "config.json").write_text('{"block_out_channels": [16, 16]}', encoding="utf-8")
    decoder = {"latent_channels": 4, "scaling_factor": 0.18215, "block_out_channels": [8, 8, 8, 8]}
    (FOLDER / "vae_decoder" / "config.json").write_text(json.dumps(decoder), encoding="utf-8")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    vocabulary = tokenizer_files()
    text, unet, vae = parts(vocabulary)
    export_all(text, unet, vae)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    scheduler.save_pretrained(FOLDER / "scheduler")
    files = FOLDER / "tokenizer"
    tokenizer = CLIPTokenizer(files / "vocab.json", files / "merges.txt", model_max_length=LENGTH)
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    noise = np.random.Generator(np.random.Philox(SEED)).standard_normal((1, 4, SIZE // 8, SIZE // 8), np.float32)
    picture = pipe(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        height=SIZE,
        width=SIZE,
        latents=torch.from_numpy(noise),
        output_type="np",
    ).images[0]
    fast = CLIPTokenizerFast(vocab_file=files / "vocab.json", merges_file=files / "merges.txt")
    ids = [fast(text, add_special_tokens=False).input_ids for text in TEXTS]
    np.savez_compressed(GOLDENS / "image.npz", picture=picture)
    (GOLDENS / "prompts.json").write_text(json.dumps(dict(zip(TEXTS, ids, strict=True))), encoding="utf-8")


if __name__ == "__main__":
    main()
