"""The layout of optimum's exports (past and present apart, one concatenated to make the other), told as GenAI's is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hordenode.engine.files import read_json
from hordenode.engine.text.config import DecoderPart, GenaiConfig, ModelPart

CONFIG, GENERATION = "config.json", "generation_config.json"

Tokens = int | list[int] | None


class HubConfig(msgspec.Struct, frozen=True):
    """What matters of config.json."""

    num_hidden_layers: int
    num_attention_heads: int
    hidden_size: int
    max_position_embeddings: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    bos_token_id: int | None = None
    eos_token_id: Tokens = None


class GenerationConfig(msgspec.Struct, frozen=True):
    """What matters of generation_config.json."""

    eos_token_id: Tokens = None


def read_optimum_config(folder: Path) -> GenaiConfig:
    """The configuration of a model folder. Raises ModelFileError."""
    config = read_json(folder / CONFIG, HubConfig)
    generation = folder / GENERATION
    ends = read_json(generation, GenerationConfig).eos_token_id if generation.is_file() else None
    if ends is None:
        ends = config.eos_token_id
    nested = (folder / "onnx" / "model.onnx").is_file()
    decoder = DecoderPart(
        head_size=config.head_dim or config.hidden_size // config.num_attention_heads,
        num_hidden_layers=config.num_hidden_layers,
        num_key_value_heads=config.num_key_value_heads or config.num_attention_heads,
        filename="onnx/model.onnx" if nested else "model.onnx",
    )
    return GenaiConfig(
        ModelPart(config.max_position_embeddings, decoder, [] if ends is None else ends, config.bos_token_id)
    )
