# mypy: ignore-errors
"""Writes a diffusers pipeline of Stable Diffusion 1 as one file by the names of its first release (CompVis)."""

from __future__ import annotations

from safetensors.torch import save_file

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
OUTER = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def save_single(pipe, file):
    """Four blocks of two layers, as the family has."""
    tensors = {}
    for name, value in pipe.unet.state_dict().items():
        tensors[f"model.diffusion_model.{_unet(name)}"] = value.contiguous()
    for name, value in pipe.vae.state_dict().items():
        flat = ".attentions." in name and name.endswith("weight") and value.dim() == 2
        tensors[f"first_stage_model.{_vae(name)}"] = (value[:, :, None, None] if flat else value).contiguous()
    for name, value in pipe.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.{name}"] = value.contiguous()
    save_file(tensors, str(file))


def _unet(name):
    for block, old in _unet_blocks():
        if name.startswith(block):
            rest = name.removeprefix(block)
            for here, there in RESNET.items():
                rest = rest.replace(here, there) if ".resnets." in f".{block}" else rest
            return old + rest
    for here, there in OUTER.items():
        if name.startswith(f"{here}."):
            return there + name.removeprefix(here)
    raise KeyError(name)


def _unet_blocks():
    for block in range(4):
        for layer in range(2):
            yield f"down_blocks.{block}.resnets.{layer}.", f"input_blocks.{3 * block + layer + 1}.0."
            yield f"down_blocks.{block}.attentions.{layer}.", f"input_blocks.{3 * block + layer + 1}.1."
        for layer in range(3):
            yield f"up_blocks.{block}.resnets.{layer}.", f"output_blocks.{3 * block + layer}.0."
            yield f"up_blocks.{block}.attentions.{layer}.", f"output_blocks.{3 * block + layer}.1."
        yield f"down_blocks.{block}.downsamplers.0.conv.", f"input_blocks.{3 * (block + 1)}.0.op."
        yield f"up_blocks.{block}.upsamplers.0.", f"output_blocks.{3 * block + 2}.{1 if block == 0 else 2}."
    yield "mid_block.attentions.0.", "middle_block.1."
    for layer in range(2):
        yield f"mid_block.resnets.{layer}.", f"middle_block.{2 * layer}."


def _vae(name):
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    for block in range(4):
        for layer in range(3):
            name = name.replace(f"down_blocks.{block}.resnets.{layer}.", f"down.{block}.block.{layer}.")
            name = name.replace(f"up_blocks.{block}.resnets.{layer}.", f"up.{3 - block}.block.{layer}.")
        name = name.replace(f"down_blocks.{block}.downsamplers.0.", f"down.{block}.downsample.")
        name = name.replace(f"up_blocks.{block}.upsamplers.0.", f"up.{3 - block}.upsample.")
    for layer in range(2):
        name = name.replace(f"mid_block.resnets.{layer}.", f"mid.block_{layer + 1}.")
    if "mid_block.attentions.0." in name:
        for here, there in VAE_ATTENTION.items():
            name = name.replace(f"attentions.0.{here}.", f"attentions.0.{there}.")
        name = name.replace("mid_block.attentions.0.", "mid.attn_1.")
    return name
