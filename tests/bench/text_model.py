"""The model that texts are timed with: a 135M Llama of random weights, through the converter that users' models go through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hordenode.library.convert.architecture import read_architecture
from hordenode.library.convert.checkpoint import Checkpoint
from hordenode.library.convert.decoder import DecoderWriter
from hordenode.library.convert.genai import write_genai_config
from hordenode.library.convert.precision import PRECISIONS

CONTEXT = 1024
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "hidden_act": "silu",
}
TOKENIZER = Path(__file__).parents[1] / "numeric" / "goldens" / "text" / "tokenizer.json"

Weight = NDArray[np.float32]


class RandomTensors:
    """Weights by transformers' names; each depends on its place alone."""

    where = Path("random")

    def __init__(self) -> None:
        hidden, inner, head = 576, 1536, 64
        self.shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (49152, hidden),
            "model.norm.weight": (hidden,),
        }
        for layer in range(30):
            at = f"model.layers.{layer}."
            self.shapes |= {f"{at}self_attn.{part}_proj.weight": (hidden, hidden) for part in "qo"}
            self.shapes |= {f"{at}self_attn.{part}_proj.weight": (3 * head, hidden) for part in "kv"}
            self.shapes |= {f"{at}mlp.{part}_proj.weight": (inner, hidden) for part in ("gate", "up")}
            self.shapes |= {f"{at}mlp.down_proj.weight": (hidden, inner)}
            self.shapes |= {f"{at}{part}_layernorm.weight": (hidden,) for part in ("input", "post_attention")}

    def names(self) -> frozenset[str]:
        return frozenset(self.shapes)

    def read(self, name: str) -> Weight:
        shape = self.shapes[name]
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        random = np.random.default_rng(list(self.shapes).index(name))
        values: Weight = random.standard_normal(shape, np.float32)
        values *= np.float32(0.04)
        return values

    @property
    def count(self) -> int:
        """How many numbers a token reads."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())


def make_model(folder: Path, precision: str = "fp32") -> int:
    """Write the model; returns the bytes of weights that a token reads at float32."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    shutil.copy(TOKENIZER, folder / "tokenizer.json")
    shape, tensors = read_architecture(folder), RandomTensors()
    DecoderWriter(shape, Checkpoint(tensors, shape), PRECISIONS[precision], folder).write()
    write_genai_config(folder, shape)
    return 4 * tensors.count
