# mypy: ignore-errors
"""Writes goldens/image/ (a tiny seeded Stable Diffusion as ONNX) and goldens/image.npz (what diffusers makes with it).

Run by hand where torch, diffusers and transformers are installed: python tests/numeric/make_image_goldens.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img as img2img
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint as inpaint
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPTokenizerFast

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "image"
SIZE, STEPS, SCALE, SEED, LENGTH = 64, 8, 5.0, 7, 24
PROMPT, NEGATIVE = "A red circle, above:", "blurry photo"
ASK = {
    "prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "num_inference_steps": STEPS,
    "guidance_scale": SCALE,
    "height": SIZE,
    "width": SIZE,
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
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
            num_hidden_layers=3,
            num_attention_heads=2,
            vocab_size=vocabulary,
            max_position_embeddings=LENGTH,
            **ends,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=4,
        block_out_channels=(8, 8),
        norm_num_groups=4,
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


def export(name, module, call, inputs, output, dynamic, folder=FOLDER):
    file = folder / name / "model.onnx"
    file.parent.mkdir(parents=True)
    torch.onnx.export(
        Wrapped(module, call),
        tuple(inputs.values()),
        str(file),
        input_names=list(inputs),
        output_names=[output] if isinstance(output, str) else output,
        dynamic_axes=dynamic,
        opset_version=17,
        dynamo=False,
    )
    shorten(file)


def shorten(file):
    """Module paths in names make up most of a tiny graph."""
    model = onnx.load(file)
    del model.graph.value_info[:]
    kept = {each.name for each in (*model.graph.input, *model.graph.output)} | {""}
    short = {}
    for node in model.graph.node:
        node.name = node.doc_string = ""
        for names in (node.input, node.output):
            names[:] = [each if each in kept else short.setdefault(each, f"v{len(short)}") for each in names]
    for weights in model.graph.initializer:
        weights.name = short.get(weights.name, weights.name)
    onnx.save(model, file)


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
    export(
        "vae_encoder",
        vae,
        lambda m, x: m.encode(x).latent_dist.parameters,
        {"sample": torch.zeros(1, 3, SIZE, SIZE)},
        "latent_parameters",
        {"sample": {0: "batch", 2: "h", 3: "w"}},
    )
    (FOLDER / "unet" / "config.json").write_text('{"block_out_channels": [8, 8], "sample_size": 8}', encoding="utf-8")
    decoder = {"latent_channels": 4, "scaling_factor": 0.18215, "block_out_channels": [8, 8, 8, 8]}
    for half in ("vae_decoder", "vae_encoder"):
        (FOLDER / half / "config.json").write_text(json.dumps(decoder), encoding="utf-8")


def components(vae, text, unet, scheduler, **more):
    """What diffusers' pipelines are made of."""
    files = FOLDER / "tokenizer"
    return {
        "vae": vae,
        "text_encoder": text,
        "tokenizer": CLIPTokenizer(files / "vocab.json", files / "merges.txt", model_max_length=LENGTH),
        "unet": unet,
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
        **more,
    }


def noises():
    """Draws as the engine draws them."""
    random = np.random.Generator(np.random.Philox(SEED))
    return lambda shape=(1, 4, SIZE // 8, SIZE // 8), **_: torch.from_numpy(
        random.standard_normal(tuple(shape), np.float32)
    )


def source():
    """[SIZE, SIZE, 3]; tests/numeric/test_image_modes.py has the same."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x * 4 % 256, y * 4 % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8)


def mask():
    """[SIZE, SIZE], white from the middle on."""
    made = np.zeros((SIZE, SIZE), np.uint8)
    made[:, SIZE // 2 :] = 255
    return made


def latent(pipe, **options):
    return pipe(**(ASK | options), output_type="latent").images.numpy()


@torch.no_grad()
def variations(parts_of, text):
    """The same question in every mode, as latents."""
    plain = StableDiffusionPipeline(**parts_of)
    made = {
        "plain": latent(plain, latents=noises()()),
        "clip_skip": latent(plain, latents=noises()(), **skipping(plain)),
    }
    made["weights"] = latent(
        plain, latents=noises()(), prompt=None, negative_prompt=None, **weighted(text, parts_of["tokenizer"])
    )
    picture = Image.fromarray(source())
    for module in (img2img, inpaint):
        module.retrieve_latents = lambda found, **_: found.latent_dist.mode()
    img2img.randn_tensor = noises()
    start = StableDiffusionImg2ImgPipeline(**parts_of)
    made["img2img"] = latent(start, image=picture, strength=0.6, height=None, width=None)
    img2img.randn_tensor = noises()
    small = latent(plain, latents=img2img.randn_tensor())
    large = torch.nn.functional.interpolate(torch.from_numpy(small), scale_factor=2, mode="bilinear")
    made["hires"] = latent(start, image=large, strength=0.65, height=None, width=None)
    painter = StableDiffusionInpaintPipeline(**parts_of)
    for strength in (1.0, 0.6):
        inpaint.randn_tensor = noises()
        made[f"inpainting/{strength}"] = latent(
            painter, image=picture, mask_image=Image.fromarray(mask()), strength=strength
        )
    return made


def skipping(pipe):
    """Both prompts with clip_skip: the pipelines skip layers for the positive one alone."""
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    found = {"prompt": None, "negative_prompt": None}
    for sides, text in ((names[0::2], PROMPT), (names[1::2], NEGATIVE)):
        made = pipe.encode_prompt(
            prompt=text, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False, clip_skip=1
        )
        found |= dict(zip(sides, made[0::2], strict=False))
    return found


def weighted(text, tokenizer):
    """`A (red:1.5) [circle]` and `(blurry) photo`, by hand: away from the empty prompt by the weight of each token."""
    found = {}
    for name, pieces in {
        "prompt_embeds": [("A ", 1.0), ("red", 1.5), (" ", 1.0), ("circle", 1 / 1.1)],
        "negative_prompt_embeds": [("blurry", 1.1), (" photo", 1.0)],
    }.items():
        ids, weights = [tokenizer.bos_token_id], [1.0]
        for piece, weight in pieces:
            more = tokenizer(piece, add_special_tokens=False).input_ids
            ids, weights = ids + more, weights + [weight] * len(more)
        rest = LENGTH - len(ids)
        ids, weights = ids + [tokenizer.eos_token_id] * rest, weights + [1.0] * rest
        nothing = [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * (LENGTH - 1)
        states, empty = (text(torch.tensor([row])).last_hidden_state for row in (ids, nothing))
        found[name] = empty + (states - empty) * torch.tensor(weights)[None, :, None]
    return found


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    vocabulary = tokenizer_files()
    text, unet, vae = parts(vocabulary)
    export_all(text, unet, vae)
    scheduler = EulerDiscreteScheduler(**SCHEDULE)
    scheduler.save_pretrained(FOLDER / "scheduler")
    parts_of = components(vae, text, unet, scheduler)
    made = {"picture": StableDiffusionPipeline(**parts_of)(**ASK, latents=noises()(), output_type="np").images[0]}
    made |= variations(parts_of, text)
    files = FOLDER / "tokenizer"
    fast = CLIPTokenizerFast(vocab_file=files / "vocab.json", merges_file=files / "merges.txt")
    ids = [fast(text, add_special_tokens=False).input_ids for text in TEXTS]
    np.savez_compressed(GOLDENS / "image.npz", **made)
    (GOLDENS / "prompts.json").write_text(json.dumps(dict(zip(TEXTS, ids, strict=True))), encoding="utf-8")


if __name__ == "__main__":
    main()
