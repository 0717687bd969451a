"""The golden text model once more, its weights through the converter that users' checkpoints go through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from hordenode.library.convert.architecture import read_architecture
from hordenode.library.convert.checkpoint import Checkpoint
from hordenode.library.convert.decoder import DecoderWriter
from hordenode.library.convert.genai import write_genai_config
from hordenode.library.convert.precision import PRECISIONS

# As make_text_goldens.py has it.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "silu",
}
NORMS = {"input_layernorm": "attn.norm", "post_attention_layernorm": "mlp.norm"}


class GoldenTensors:
    """The golden graph's weights by transformers' names."""

    where = Path("golden")

    def __init__(self, file: Path) -> None:
        stored = {each.name.removesuffix(".fp16"): each for each in onnx.load(str(file)).graph.initializer}
        self._stored = {_name(name): each for name, each in stored.items() if name.endswith(("weight", "embed_tokens"))}

    def names(self) -> frozenset[str]:
        return frozenset(self._stored)

    def read(self, name: str) -> NDArray[np.float32]:
        value = np.asarray(numpy_helper.to_array(self._stored[name]), np.float32)
        return np.ascontiguousarray(value.T) if "_proj" in name else value


def _name(name: str) -> str:
    whole = {"embed_tokens": "model.embed_tokens.weight", "final_norm.weight": "model.norm.weight"}
    if name in whole:
        return whole[name]
    for theirs, ours in NORMS.items():
        name = name.replace(ours, theirs)
    return f"model.{name.replace('attn.', 'self_attn.')}"


def convert_golden(golden: Path, folder: Path) -> Path:
    """Write the model of the folder `golden` to another."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    shutil.copy(golden / "tokenizer.json", folder)
    shape = read_architecture(folder)
    checkpoint = Checkpoint(GoldenTensors(golden / "model.onnx"), shape)
    DecoderWriter(shape, checkpoint, PRECISIONS["fp32"], folder).write()
    write_genai_config(folder, shape)
    return folder
