"""Which layout a model folder has, and what its memory for keys and values takes."""

from __future__ import annotations

from pathlib import Path

from hordenode.engine.files import MB
from hordenode.engine.text.config import FILE, GenaiConfig, read_genai_config
from hordenode.engine.text.optimum import CONFIG, read_optimum_config

VALUE_BYTES = 4  # of float32; a graph of float16 takes half


def read_config(folder: Path) -> GenaiConfig:
    """How the graph is called and shaped. Raises ModelFileError."""
    if not (folder / FILE).is_file() and (folder / CONFIG).is_file():
        return read_optimum_config(folder)
    return read_genai_config(folder)


def cache_mb(folder: Path, slots: int, context: int) -> int:
    """What keys and values of so many texts of `context` tokens take at most, in MB. Raises ModelFileError."""
    model = read_config(folder).model
    decoder = model.decoder
    values = 2 * decoder.num_hidden_layers * decoder.num_key_value_heads * decoder.head_size
    return -(-values * VALUE_BYTES * slots * min(context, model.context_length) // MB)
