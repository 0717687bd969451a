"""Runs graphs that append by concatenation (optimum's layout): every run gives back all keys and values, grown by one.

Texts of different lengths share a run by padding on the left. What a run gave back goes into the next one as it is;
only when the texts are others is it put together anew, from the slots, to which each new position is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hordenode.engine.runtime import Session
from hordenode.engine.tensors import Array, Kept
from hordenode.engine.text.arena import apply
from hordenode.engine.text.config import GenaiConfig
from hordenode.engine.text.runner import Logits, Scores
from hordenode.engine.text.scheduler import Move


class ConcatRunner:
    """See Runner. Slots lie in main memory, [slots, key-value heads, capacity, head size], two per layer."""

    def __init__(self, session: Session, config: GenaiConfig, slots: int, capacity: int) -> None:
        """Raises ModelFileError."""
        decoder = config.model.decoder
        ins, outs, layers = decoder.inputs, decoder.outputs, range(decoder.num_hidden_layers)
        self._pasts = [name % layer for layer in layers for name in (ins.past_key_names, ins.past_value_names)]
        self._fetch = [
            outs.logits,
            *(name % layer for layer in layers for name in (outs.present_key_names, outs.present_value_names)),
        ]
        session.require(ins.input_ids, ins.attention_mask, ins.position_ids, *self._pasts)
        shape = (slots, decoder.num_key_value_heads, capacity, decoder.head_size)
        self._slots = [np.zeros(shape, session.inputs[name].dtype) for name in self._pasts]
        self._session = session
        self._names = ins
        self._last: tuple[list[int], list[Kept]] = ([], [])  # lengths in the first slots, and the same padded

    def move(self, moves: Iterable[Move]) -> None:
        steps = tuple(moves)
        if steps:
            self._forget()
            for content in self._slots:
                apply(content, steps)

    def prefill(self, slot: int, tokens: Sequence[int], before: int) -> Logits:
        count = len(tokens)
        pasts = [content[slot : slot + 1, :, :before] for content in self._slots]
        mask, positions = np.ones((1, before + count)), np.arange(before, before + count)[None]
        logits, presents = self._run(np.array([tokens]), mask, positions, pasts)
        for content, present in zip(self._slots, presents, strict=True):
            content[slot, :, before : before + count] = present.view()[0, :, before:]
        if slot < len(self._last[0]):
            self._forget()
        return logits

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], highest: int = 1) -> Scores:
        held = np.array(lengths)
        width = int(held.max())
        pasts: Sequence[Any] = self._last[1] if self._last[0] == list(lengths) else self._padded(lengths, width)
        mask = np.arange(width + 1)[None] >= width - held[:, None]
        logits, presents = self._run(np.array(tokens)[:, None], mask, held[:, None], pasts)
        rows = np.arange(len(tokens))
        for content, present in zip(self._slots, presents, strict=True):
            content[rows, :, held] = present.view()[:, :, -1]
        self._last = [length + 1 for length in lengths], presents
        return Scores(logits)

    def _padded(self, lengths: Sequence[int], width: int) -> list[Array]:
        """Keys and values of the first slots, each ending at the right edge."""
        made = []
        for content in self._slots:
            padded = np.zeros((len(lengths), content.shape[1], width, content.shape[3]), content.dtype)
            for row, length in enumerate(lengths):
                padded[row, :, width - length :] = content[row, :, :length]
            made.append(padded)
        return made

    def _run(
        self, ids: Array, mask: Array, positions: Array, pasts: Sequence[Array | Kept]
    ) -> tuple[Logits, list[Kept]]:
        names = self._names
        feeds: Mapping[str, Array | Kept] = {
            names.input_ids: ids,
            names.attention_mask: mask,
            names.position_ids: positions,
            **dict(zip(self._pasts, pasts, strict=True)),
        }
        logits, *presents = self._session.run_kept(feeds, self._fetch)
        return logits.view()[:, -1].astype(np.float32), presents

    def _forget(self) -> None:
        self._last = [], []
