"""Runs the graph of one causal language model: prefill in chunks, then a token at a time.

Keys and values stand in buffers that are past and present at once: GroupQueryAttention appends in place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.runtime import Array, Session
from hordenode.engine.text.config import GenaiConfig

Logits = NDArray[np.float32]

# Longest stretch of prompt in one run: it bounds memory (logits of a whole chunk) and the wait of a cancel.
CHUNK = 256


class Cache:
    """Keys and values of one sequence of at most `capacity` tokens."""

    def __init__(self, session: Session, config: GenaiConfig, capacity: int) -> None:
        decoder = config.model.decoder
        self.bound = session.bind(decoder.outputs.logits)
        self.length = 0
        shape = (1, decoder.num_key_value_heads, capacity, decoder.head_size)
        names = (
            (decoder.inputs.past_key_names, decoder.outputs.present_key_names),
            (decoder.inputs.past_value_names, decoder.outputs.present_value_names),
        )
        for layer in range(decoder.num_hidden_layers):
            for past, present in names:
                buffer = session.buffer(shape, session.inputs[past % layer].dtype)
                self.bound.share(past % layer, present % layer, buffer)


class TextRunner:
    """A loaded graph."""

    def __init__(self, session: Session, config: GenaiConfig) -> None:
        names = config.model.decoder.inputs
        layers = range(config.model.decoder.num_hidden_layers)
        session.require(names.input_ids, names.attention_mask)
        session.require(*(name % layer for name in (names.past_key_names, names.past_value_names) for layer in layers))
        self._session = session
        self._config = config
        self._names = names

    def cache(self, capacity: int) -> Cache:
        """An empty cache."""
        return Cache(self._session, self._config, capacity)

    def feed(self, cache: Cache, tokens: Sequence[int]) -> Logits:
        """Append tokens (at most CHUNK) to what the cache holds; the logits [vocabulary] of what comes next."""
        count, before = len(tokens), cache.length
        feeds: dict[str, Array] = {
            self._names.input_ids: np.array([tokens]),
            self._names.attention_mask: np.ones((1, before + count)),
        }
        if self._names.position_ids in self._session.inputs:
            feeds[self._names.position_ids] = np.arange(before, before + count)[None]
        logits = cache.bound.run(feeds)
        cache.length += count
        last: Logits = logits[0, -1].astype(np.float32)
        return last
