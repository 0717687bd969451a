"""Runs the graph of one causal language model: a chunk of one prompt, or one token of many texts.

GroupQueryAttention appends in place and takes rows of different lengths from the sums of the attention mask's rows;
several tokens with a past work for one row alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.runtime import Array, Session
from hordenode.engine.text.arena import Arena
from hordenode.engine.text.config import GenaiConfig
from hordenode.engine.text.scheduler import Move

Logits = NDArray[np.float32]


class Runner(Protocol):
    """A loaded graph with slots for so many texts."""

    def move(self, moves: Iterable[Move]) -> None:
        """Rearrange slots."""
        ...

    def prefill(self, slot: int, tokens: Sequence[int], before: int) -> Logits:
        """Append tokens to a slot that holds `before`; the logits [1, vocabulary] of what comes next.

        They, and those of `decode`, are valid until the next run of the same kind.
        """
        ...

    def decode(self, tokens: Sequence[int], lengths: Sequence[int]) -> Logits:
        """Append one token to each of the first slots, which hold `lengths`; the logits [slots, vocabulary]."""
        ...


class TextRunner:
    """See Runner. `slots` texts of at most `capacity` tokens."""

    def __init__(self, session: Session, config: GenaiConfig, slots: int, capacity: int) -> None:
        names = config.model.decoder.inputs
        layers = range(config.model.decoder.num_hidden_layers)
        session.require(names.input_ids, names.attention_mask)
        session.require(*(name % layer for name in (names.past_key_names, names.past_value_names) for layer in layers))
        self._session = session
        self._names = names
        self._arena = Arena(session, config, slots, capacity)

    def move(self, moves: Iterable[Move]) -> None:
        self._arena.move(moves)

    def prefill(self, slot: int, tokens: Sequence[int], before: int) -> Logits:
        count = len(tokens)
        mask = np.ones((1, before + count), np.int64)
        return self._run(slot, np.array([tokens]), mask, np.arange(before, before + count)[None])

    def decode(self, tokens: Sequence[int], lengths: Sequence[int]) -> Logits:
        held = np.array(lengths)[:, None]
        mask = np.arange(held.max() + 1)[None] <= held
        return self._run(0, np.array(tokens)[:, None], mask, held)

    def _run(self, first: int, ids: Array, mask: Array, positions: Array) -> Logits:
        feeds = {self._names.input_ids: ids, self._names.attention_mask: mask}
        if self._names.position_ids in self._session.inputs:
            feeds[self._names.position_ids] = positions
        return self._arena.bound(first, len(ids)).run_to_last(feeds)
