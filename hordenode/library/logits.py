"""What the graph of a text model answers, run once without the engine's batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hordenode.config import EngineSettings
from hordenode.engine.runtime import Runtime
from hordenode.engine.tensors import Array
from hordenode.engine.text.layout import read_config

Logits = NDArray[np.float32]


def graph_logits(folder: Path, tokens: Sequence[int]) -> Logits:
    """What the graph in `folder` answers to each token: [tokens, vocabulary]. Raises ModelFileError, EngineError."""
    decoder = read_config(folder).model.decoder
    session = Runtime(EngineSettings(providers=("cpu",))).open(folder / decoder.filename)
    feeds: dict[str, Array] = {
        decoder.inputs.input_ids: np.array([tokens]),
        decoder.inputs.attention_mask: np.ones((1, len(tokens))),
        decoder.inputs.position_ids: np.arange(len(tokens))[None],
    }
    empty = np.zeros((1, decoder.num_key_value_heads, 0, decoder.head_size), np.float32)
    for layer in range(decoder.num_hidden_layers):
        feeds |= {decoder.inputs.past_key_names % layer: empty, decoder.inputs.past_value_names % layer: empty}
    made: Logits = session.run({name: value for name, value in feeds.items() if name in session.inputs})[0]
    return made.astype(np.float32)
