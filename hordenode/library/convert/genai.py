"""genai_config.json for a graph of ours, as ONNX Runtime GenAI's builder writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from hordenode.engine.text.config import FILE
from hordenode.library.convert.architecture import Architecture
from hordenode.library.convert.writer import MODEL


class Heads(Protocol):
    """What the configuration says of a decoder's shape."""

    @property
    def head_size(self) -> int: ...

    @property
    def hidden(self) -> int: ...

    @property
    def heads(self) -> int: ...

    @property
    def layers(self) -> int: ...

    @property
    def key_value_heads(self) -> int: ...


def decoder_config(shape: Heads) -> dict[str, object]:
    """The `decoder` section: how the inputs and outputs of our graphs are called."""
    return {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": MODEL,
        "head_size": shape.head_size,
        "hidden_size": shape.hidden,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.key_value_heads,
    }


def write_genai_config(folder: Path, shape: Architecture) -> None:
    """Write the file; the names of inputs and outputs are the builder's usual ones."""
    decoder = decoder_config(shape)
    model = {
        "type": shape.family,
        "context_length": shape.context,
        "decoder": decoder,
        "eos_token_id": list(shape.ends),
        "vocab_size": shape.vocabulary,
        **({} if shape.start is None else {"bos_token_id": shape.start}),
    }
    search = {"max_length": shape.context, "past_present_share_buffer": True}
    text = json.dumps({"model": model, "search": search}, indent=2)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
