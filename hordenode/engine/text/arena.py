"""Keys and values of all texts in the making: one slot each, moved so that those that decode stand at the front."""

from __future__ import annotations

from collections.abc import Iterable

from hordenode.engine.runtime import Binding, Session
from hordenode.engine.tensors import Array, Buffer
from hordenode.engine.text.config import GenaiConfig
from hordenode.engine.text.scheduler import Move


class Arena:
    """Buffers [slots, key-value heads, capacity, head size], two per layer; past and present at once."""

    def __init__(self, session: Session, config: GenaiConfig, slots: int, capacity: int) -> None:
        decoder = config.model.decoder
        shape = (slots, decoder.num_key_value_heads, capacity, decoder.head_size)
        names = (
            (decoder.inputs.past_key_names, decoder.outputs.present_key_names),
            (decoder.inputs.past_value_names, decoder.outputs.present_value_names),
        )
        self._session = session
        self._logits = decoder.outputs.logits
        self._buffers: list[tuple[str, str, Buffer]] = [
            (past % layer, present % layer, session.buffer(shape, session.inputs[past % layer].dtype))
            for layer in range(decoder.num_hidden_layers)
            for past, present in names
        ]

    def bind(self, first: int, count: int) -> Binding:
        """The graph on `count` slots from `first` on."""
        binding = self._session.bind(self._logits)
        for past, present, buffer in self._buffers:
            binding.share(past, present, buffer, first, count)
        return binding

    def move(self, moves: Iterable[Move]) -> None:
        """Do what the scheduler decided, in its order."""
        steps = tuple(moves)
        if not steps:
            return
        for _, _, buffer in self._buffers:
            buffer.edit(lambda content: apply(content, steps))


def apply(content: Array, moves: Iterable[Move]) -> None:
    """Move what stands in the slots of `content` [slots, heads, positions, size]."""
    for move in moves:
        length = move.length
        target = content[move.target, :, :length]
        if move.swap:
            kept = target.copy()
            target[:] = content[move.source, :, :length]
            content[move.source, :, :length] = kept
        else:
            target[:] = content[move.source, :, :length]
