"""Runs the graph of one causal language model: a chunk of one prompt, or one token of many texts.

GroupQueryAttention appends in place and takes rows of different lengths from the sums of the attention mask's rows;
several tokens with a past work for one row alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.runtime import Binding, Session
from hordenode.engine.tensors import Array
from hordenode.engine.text.arena import Arena
from hordenode.engine.text.config import PRODUCER, DecoderPart, GenaiConfig
from hordenode.engine.text.last_token import COUNT, LOGITS, TOKENS, known
from hordenode.engine.text.scheduler import Move
from hordenode.engine.text.shortlist import Highest

Logits = NDArray[np.float32]

WIDER = 64  # an attention mask that may be wider than the texts grows by so many tokens


class Scores(NamedTuple):
    """Logits [texts, vocabulary]; and the highest of them, where the graph told them."""

    logits: Logits
    highest: Highest | None = None


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

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], highest: int = 1) -> Scores:
        """Append one token to each of the first slots, which hold `lengths`.

        `highest`: how many of the highest logits are wanted, where the graph tells them; there may be fewer.
        """
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
        self._decoder = config.model.decoder
        self._slots = slots
        self._capacity = capacity
        self._arena = Arena(session, config, slots, capacity)
        self._readers: dict[int, Binding] = {}
        self._writers: dict[int, _Writer] = {}
        # Logits land in memory of ours where they can: their shape is known from the second step on.
        self._lands = (
            session.reads_in_place and session.outputs[config.model.decoder.outputs.logits].dtype == np.float32
        )
        self._landing: _Landing | None = None

    def move(self, moves: Iterable[Move]) -> None:
        self._arena.move(moves)

    def prefill(self, slot: int, tokens: Sequence[int], before: int) -> Logits:
        count = len(tokens)
        feeds = {self._names.input_ids: np.array([tokens]), self._names.attention_mask: np.ones((1, before + count))}
        if self._names.position_ids in self._session.inputs:
            feeds[self._names.position_ids] = np.arange(before, before + count)[None]
        if slot not in self._readers:
            self._readers[slot] = self._arena.bind(slot, 1)
        return self._readers[slot].run_to_last(feeds)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], highest: int = 1) -> Scores:
        count = len(tokens)
        writer = self._writers.get(count)
        if writer is None:
            binding = self._arena.bind(0, count)
            writer = self._writers[count] = _Writer(self._session, binding, self._decoder, count, self._capacity)
            if self._landing is not None:
                writer.land(self._landing)
        scores = writer.run(tokens, lengths, highest)
        if self._landing is None and self._lands:
            self._landing = self._room(scores.logits.shape[1])
            writer.land(self._landing)
        return scores

    def _room(self, width: int) -> _Landing:
        logits, most = np.empty((self._slots, width), np.float32), self._slots * known(width)
        if COUNT not in self._session.options:
            return _Landing(logits)
        return _Landing(logits, known(width), np.empty(most, np.float32), np.empty(most, np.int64))


class _Landing(NamedTuple):
    """Memory for what a step of all slots makes: logits [slots, vocabulary], and at most so many of the highest of each."""

    logits: Logits
    most: int = 0
    highest: Logits = np.empty(0, np.float32)
    tokens: NDArray[np.int64] = np.empty(0, np.int64)

    def told(self, rows: int, count: int) -> Highest:
        """The part for `count` of the highest of so many rows."""
        size = rows * count
        return Highest(self.highest[:size].reshape(rows, count), self.tokens[:size].reshape(rows, count))


class _Writer:
    """One token more for `count` texts, again and again: what can stays bound, as to bind costs more than it seems."""

    def __init__(self, session: Session, binding: Binding, decoder: DecoderPart, count: int, capacity: int) -> None:
        names = self._names = decoder.inputs

        def memory(name: str, *shape: int) -> Array:
            return np.zeros(shape, session.inputs[name].dtype)

        self._session = session
        self._binding = binding
        self._logits = decoder.outputs.logits
        self._capacity = capacity
        self._step = WIDER if session.reads_in_place and session.producer == PRODUCER else 1
        self._ids = memory(names.input_ids, count, 1)
        self._mask = memory(names.attention_mask, count, 0)
        self._positions = memory(names.position_ids, count, 1) if names.position_ids in session.inputs else None
        self._places = np.arange(capacity)
        self._expected: list[int] = []  # lengths of the next step, if nobody comes or goes
        self._landing: _Landing | None = None
        self._landed: Scores | None = None
        self._count = np.zeros(1, np.int64)  # of the highest logits that are told

    def run(self, tokens: Sequence[int], lengths: Sequence[int], highest: int) -> Scores:
        width = min(-(-(max(lengths) + 1) // self._step) * self._step, self._capacity)
        fresh = self._mask.shape[1] != width
        if fresh:
            self._mask = np.zeros((len(tokens), width), self._mask.dtype)
        if not fresh and lengths == self._expected:
            for row, length in enumerate(lengths):
                self._mask[row, length] = 1
        else:
            self._mask[:] = self._places[:width] <= np.array(lengths)[:, None]
        self._expected = [length + 1 for length in lengths]
        self._ids[:, 0] = tokens
        if self._positions is not None:
            self._positions[:, 0] = lengths
        if fresh or not self._session.reads_in_place:
            self._bind()
        if self._landing is None:
            return Scores(self._binding.run_to_last({}))
        landed = self._landed = self._prepared(self._landing, min(highest, self._landing.most))
        self._binding.step()
        return landed

    def _bind(self) -> None:
        self._binding.feed(self._names.input_ids, self._ids)
        self._binding.feed(self._names.attention_mask, self._mask)
        if self._positions is not None:
            self._binding.feed(self._names.position_ids, self._positions)

    def land(self, memory: _Landing) -> None:
        """Let logits, and the highest of them, come here from now on, to the first rows."""
        self._landing, self._landed = memory, None
        self._binding.land(self._logits, memory.logits[: len(self._ids), None])
        if memory.most:
            self._binding.feed(COUNT, self._count)

    def _prepared(self, memory: _Landing, count: int) -> Scores:
        """Where what the next run makes will be, with `count` of the highest logits."""
        if self._landed is not None and self._count[0] == count:
            return self._landed
        self._count[0] = count
        logits = memory.logits[: len(self._ids)]
        if not count:
            return Scores(logits)
        told = memory.told(len(self._ids), count)
        self._binding.land(LOGITS, told.logits)
        self._binding.land(TOKENS, told.tokens)
        return Scores(logits, told)
