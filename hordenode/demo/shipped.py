# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Training can go on from the shipped models, whose files hold every weight under its own name, float16 or int8."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from hordenode.demo.autoencoder import AutoEncoder
from hordenode.demo.int8 import INTEGERS, SCALES
from hordenode.demo.onnx_files import fill, read_weights
from hordenode.demo.painter import CHECKPOINT as PAINTER
from hordenode.demo.painter import Painter
from hordenode.demo.train_image import START_FILE, STATISTICS, TOKENIZER, ImageModel
from hordenode.demo.train_text import START as TEXT_START
from hordenode.demo.train_text import TOKENIZER as TEXT_TOKENIZER
from hordenode.demo.train_text import layers_of, llama_config
from hordenode.demo.upscaler import Upscaler

# What transformers calls the parts of a layer that the graph calls otherwise.
LLAMA_NAMES = (
    (r"attn\.norm", "input_layernorm"),
    (r"mlp\.norm", "post_attention_layernorm"),
    (r"attn\.", "self_attn."),
    (r"^final_norm", "norm"),
    (r"^embed_tokens$", "embed_tokens.weight"),
)


def continue_from(models: Path, folder: Path) -> None:
    """Write what the exported image model in `models` knows into a training folder, as finished stages.

    The auto-encoder, its latents' statistics and the tokenizer stay as they are, since text encoder and denoiser were
    trained on them; the denoiser then starts where the exported one ended.
    Raises OtherFormError if it is no model of this form.
    """
    tokenizer = models / "tokenizer" / "tokenizer.json"
    encoder = read_weights(models / "vae_encoder" / "model.onnx")
    auto, painter = shipped_autoencoder(models), Painter(AutoEncoder(), Upscaler())
    fill(painter, _named(read_weights(models / "vae_decoder" / "model.onnx"), "painter."))
    model = shipped_image_model(models, Tokenizer.from_file(str(tokenizer)).get_vocab_size())
    # Written only now, when everything fits.
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(tokenizer, folder / TOKENIZER)
    torch.save({name: encoder[name] for name in ("mean", "deviation")}, folder / STATISTICS)
    for module, file in ((auto, "autoencoder.pt"), (painter, PAINTER), (model, START_FILE)):
        torch.save({"average": module.state_dict(), "step": 0}, folder / file)


def continue_text_from(models: Path, folder: Path) -> None:
    """Write what the exported text model in `models` knows into a training folder, for the deep model to start from.

    Raises OtherFormError if it is no model of this form.
    """
    model = shipped_text_model(models)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(models / "tokenizer.json", folder / TEXT_TOKENIZER)
    torch.save({"average": model.state_dict(), "step": 0}, folder / TEXT_START)


def shipped_text_model(models: Path) -> LlamaForCausalLM:
    """Return the language model of an exported folder, with as many layers as its file has."""
    weights = _llama_weights(read_weights(models / "model.onnx"))
    vocabulary = Tokenizer.from_file(str(models / "tokenizer.json")).get_vocab_size()
    model = LlamaForCausalLM(llama_config(vocabulary, layers_of(weights)))
    fill(model, weights)
    return model.eval()


def _llama_weights(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Multiply integers by their scales, and give every weight the name that transformers has for it."""
    result = {}
    for name, weight in stored.items():
        own = llama_name = name.removesuffix(INTEGERS)
        for pattern, other in LLAMA_NAMES:
            llama_name = re.sub(pattern, other, llama_name)
        result[f"model.{llama_name}"] = weight * stored[own + SCALES] if name.endswith(INTEGERS) else weight
    if "model.embed_tokens.weight" in result:
        # The table of words is the output matrix too.
        result["lm_head.weight"] = result["model.embed_tokens.weight"]
    return result


def shipped_autoencoder(models: Path) -> AutoEncoder:
    """Return the auto-encoder of an exported folder."""
    auto = AutoEncoder()
    encoder = read_weights(models / "vae_encoder" / "model.onnx")
    decoder = _named(read_weights(models / "vae_decoder" / "model.onnx"), "painter.")
    fill(auto, encoder | decoder, but=("latent_norm.",))
    norm = auto.latent_norm
    norm.running_mean, norm.running_var = _norm(encoder, norm.eps)
    return auto


def shipped_image_model(models: Path, vocabulary: int) -> ImageModel:
    """Return text encoder and denoiser of an exported folder."""
    model = ImageModel(vocabulary)
    fill(model.text, read_weights(models / "text_encoder" / "model.onnx"))
    fill(model.denoiser, read_weights(models / "unet" / "model.onnx"))
    return model


def _named(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Leave the prefix out of the names that have it."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items()}


def _norm(encoder: dict[str, Tensor], eps: float) -> tuple[Tensor, Tensor]:
    return encoder["norm_mean"].flatten(), encoder["norm_deviation"].flatten().square() - eps
