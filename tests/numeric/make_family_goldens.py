# mypy: ignore-errors
"""Writes goldens/families/: tiny parts of SD 2, SDXL, Turbo, inpainting and consistency models, and what diffusers makes.

Run by hand after make_image_goldens.py, whose auto-encoder, tokenizer and text encoder they share.
"""

from __future__ import annotations

import json
import shutil

import make_image_goldens as base
import numpy as np
import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

FOLDER = base.GOLDENS / "families"
GUIDANCE = 16  # of the consistency model's embedding
TIMES = 4  # of each of SDXL's time ids
POOLED = 8


def unet(**options):
    torch.manual_seed(1)
    made = UNet2DConditionModel(
        **{
            "sample_size": 8,
            "cross_attention_dim": 16,
            "attention_head_dim": 4,
            "block_out_channels": (8, 8),
            "norm_num_groups": 4,
            "layers_per_block": 1,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        }
        | options
    )
    return grown(made)


def grown(module):
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter.data *= 2.5
    return module.eval()


def second_encoder(vocabulary):
    torch.manual_seed(2)
    config = CLIPTextConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        projection_dim=POOLED,
        vocab_size=vocabulary,
        max_position_embeddings=base.LENGTH,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return grown(CLIPTextModelWithProjection(config))


def export_unet(folder, module, channels, further=None, width=16):
    """`further`: name -> example of the inputs that the family adds."""
    further = further or {}

    def call(m, x, t, h, *rest):
        named = dict(zip(further, rest, strict=True))
        condition = named.pop("timestep_cond", None)
        return m(x, t, h, timestep_cond=condition, added_cond_kwargs=named or None).sample

    base.export(
        "unet",
        module,
        call,
        {
            "sample": torch.zeros(2, channels, 8, 8),
            "timestep": torch.tensor([1.0]),
            "encoder_hidden_states": torch.zeros(2, base.LENGTH, width),
            **further,
        },
        "out_sample",
        {
            "sample": {0: "batch", 2: "h", 3: "w"},
            "encoder_hidden_states": {0: "batch", 1: "length"},
            **{name: {0: "batch"} for name in further},
        },
        FOLDER / folder,
    )
    config = {"in_channels": channels, "block_out_channels": [8, 8], "sample_size": 8}
    if "timestep_cond" in further:
        config["time_cond_proj_dim"] = GUIDANCE
    (FOLDER / folder / "unet" / "config.json").write_text(json.dumps(config), encoding="utf-8")


def every_layer(module, ids):
    made = module(ids, output_hidden_states=True)
    return made.text_embeds, made.last_hidden_state, *made.hidden_states


def export_second(module):
    base.export(
        "text_encoder_2",
        module,
        every_layer,
        {"input_ids": torch.zeros(2, base.LENGTH, dtype=torch.int64)},
        ["text_embeds", "last_hidden_state", *(f"hidden_states.{i}" for i in range(4))],
        {"input_ids": {0: "batch"}},
        FOLDER / "xl",
    )


def scheduler(**options):
    return EulerDiscreteScheduler(**base.SCHEDULE | options)


def inpainting(vae, text, made):
    module = unet(in_channels=9)
    export_unet("inpainting", module, 9)
    pipe = StableDiffusionInpaintPipeline(**base.components(vae, text, module, scheduler()))
    base.inpaint.retrieve_latents = lambda found, **_: found.latent_dist.mode()
    for strength in (1.0, 0.6):
        base.inpaint.randn_tensor = base.noises()
        made[f"inpainting/{strength}"] = base.latent(
            pipe, image=Image.fromarray(base.source()), mask_image=Image.fromarray(base.mask()), strength=strength
        )


def consistency(vae, text, made):
    module = unet(time_cond_proj_dim=GUIDANCE)
    export_unet("lcm", module, 4, {"timestep_cond": torch.zeros(2, GUIDANCE)})
    steps = LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    steps.save_pretrained(FOLDER / "lcm" / "scheduler")
    parts = base.components(vae, text, module, steps)
    draw = base.noises()
    scheduling_lcm.randn_tensor = draw
    pipe = LatentConsistencyModelPipeline(**parts)
    made["lcm"] = pipe(
        base.PROMPT, num_inference_steps=4, guidance_scale=base.SCALE, latents=draw(), output_type="latent"
    ).images.numpy()


def second_generation(vae, text, made):
    """SD 2 predicts v and projects by matrices; SD Turbo is of its kind, in one to four steps without guidance."""
    module = unet(use_linear_projection=True, attention_head_dim=[2, 4])
    export_unet("sd2", module, 4)
    for name, options in (("sd2", {}), ("sd2 zero", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"})):
        steps = scheduler(prediction_type="v_prediction", **options)
        steps.save_pretrained(FOLDER / name / "scheduler")
        pipe = StableDiffusionPipeline(**base.components(vae, text, module, steps))
        made[name] = base.latent(pipe, latents=base.noises()())
    steps = scheduler(timestep_spacing="trailing")
    steps.save_pretrained(FOLDER / "turbo" / "scheduler")
    pipe = StableDiffusionPipeline(**base.components(vae, text, module, steps))
    for count in (1, 4):
        made[f"turbo/{count}"] = base.latent(
            pipe, latents=base.noises()(), num_inference_steps=count, guidance_scale=0.0
        )


def xl_turbo(pipe, made):
    """Ancestral steps without guidance."""
    pipe.scheduler = EulerAncestralDiscreteScheduler(**base.SCHEDULE | {"timestep_spacing": "trailing"})
    pipe.scheduler.save_pretrained(FOLDER / "xl turbo" / "scheduler")
    for count in (1, 3):
        draw = base.noises()
        scheduling_euler_ancestral_discrete.randn_tensor = draw
        made[f"xl turbo/{count}"] = base.latent(pipe, latents=draw(), num_inference_steps=count, guidance_scale=0.0)


def xl(vae, text, vocabulary, made):
    second = second_encoder(vocabulary)
    module = unet(
        cross_attention_dim=32,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIMES,
        projection_class_embeddings_input_dim=TIMES * 6 + POOLED,
    )
    export_second(second)
    further = {"text_embeds": torch.zeros(2, POOLED), "time_ids": torch.zeros(2, 6)}
    export_unet("xl", module, 4, further, width=32)
    files = base.FOLDER / "tokenizer"
    other = CLIPTokenizer(files / "vocab.json", files / "merges.txt", model_max_length=base.LENGTH, pad_token="!")
    parts = base.components(vae, text, module, scheduler(), text_encoder_2=second, tokenizer_2=other)
    for name in ("safety_checker", "feature_extractor", "requires_safety_checker"):
        parts.pop(name)
    pipe = StableDiffusionXLPipeline(**parts)
    made["xl"] = base.latent(pipe, latents=base.noises()())
    made["xl/no negative"] = base.latent(pipe, latents=base.noises()(), negative_prompt=None)
    made["xl/clip_skip"] = base.latent(pipe, latents=base.noises()(), **base.skipping(pipe))
    xl_turbo(pipe, made)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    vocabulary = len(json.loads((base.FOLDER / "tokenizer" / "vocab.json").read_text(encoding="utf-8")))
    text, _, vae = base.parts(vocabulary)
    made = {}
    inpainting(vae, text, made)
    consistency(vae, text, made)
    second_generation(vae, text, made)
    xl(vae, text, vocabulary, made)
    np.savez_compressed(base.GOLDENS / "families.npz", **made)


if __name__ == "__main__":
    with torch.no_grad():
        main()
