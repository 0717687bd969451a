"""A decoder in plain numpy, from its papers and written apart from the graph: what the graph is compared with.

Llama (Touvron et al. 2023), Mistral (Jiang et al. 2023), Qwen 2 and 3, Gemma 1 to 3, Phi 1 to 4. Float32, the whole text
at once, one layer's weights in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hordenode.library.convert.architecture import Architecture
from hordenode.library.convert.checkpoint import Checkpoint, Linear
from hordenode.library.convert.rotation import tables

State = NDArray[np.float32]
Rounding = Callable[[State], State]


@dataclass(frozen=True, slots=True)
class Reference:
    """`stored`: what becomes of a weight matrix when it is written, so that rounding can be told from mistakes."""

    shape: Architecture
    weights: Checkpoint
    stored: Rounding = lambda weight: weight

    def logits(self, tokens: Sequence[int]) -> State:
        """Of what follows each token: [tokens, vocabulary]."""
        shape = self.shape
        state = self.weights.embedding()[np.asarray(tokens)]
        if shape.embedding_scale:
            state = state * np.float32(shape.embedding_scale)
        for layer in range(shape.layers):
            state = self._layer(layer, state)
        state = self._norm("final_layernorm" if shape.layer_norm else "norm", state)
        logits = self._apply(self.weights.head() or Linear(self.weights.embedding(), None), state)
        return _capped(logits, shape.logit_cap)

    def _layer(self, layer: int, state: State) -> State:
        name = f"layers.{layer}"
        normed = self._norm(f"{name}.input_layernorm", state)
        mixed = self._attention(layer, normed)
        if self.shape.parallel:
            return state + mixed + self._feed_forward(layer, normed)
        if self.shape.sandwich:
            state = state + self._norm(f"{name}.post_attention_layernorm", mixed)
            fed = self._feed_forward(layer, self._norm(f"{name}.pre_feedforward_layernorm", state))
            return state + self._norm(f"{name}.post_feedforward_layernorm", fed)
        state = state + mixed
        return state + self._feed_forward(layer, self._norm(f"{name}.post_attention_layernorm", state))

    def _attention(self, layer: int, state: State) -> State:
        shape, name = self.shape, f"layers.{layer}.self_attn"
        length = len(state)
        query, key, value = (
            self._linear(layer, part, state).reshape(length, -1, shape.head_size).swapaxes(0, 1) for part in "qkv"
        )
        if shape.head_norms:
            query, key = self._norm(f"{name}.q_norm", query), self._norm(f"{name}.k_norm", key)
        cosines, sines = tables(shape.rotations[layer], length)
        query, key = _rotated(query, cosines, sines), _rotated(key, cosines, sines)
        group = shape.heads // shape.key_value_heads
        key, value = key.repeat(group, 0), value.repeat(group, 0)
        scores = _capped(query @ key.swapaxes(1, 2) * np.float32(shape.attention_scale), shape.attention_cap)
        distance = np.arange(length)[:, None] - np.arange(length)
        seen = (distance >= 0) & (distance < (shape.windows[layer] or length))
        mixed = _softmax(np.where(seen, scores, -np.inf)) @ value
        return self._linear(layer, "o", mixed.swapaxes(0, 1).reshape(length, -1))

    def _feed_forward(self, layer: int, state: State) -> State:
        up = self._linear(layer, "up", state)
        inner = self._activate(up) if self.shape.plain else self._activate(self._linear(layer, "gate", state)) * up
        return self._linear(layer, "down", inner)

    def _activate(self, x: State) -> State:
        made: State
        if self.shape.activation == "silu":
            made = x / (1 + np.exp(-x))
            return made
        made = 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
        return made

    def _norm(self, name: str, state: State) -> State:
        weight, bias = self.weights.norm(name, state.shape[-1])
        if bias is not None:
            centred = state - state.mean(-1, keepdims=True)
            return _unit(centred, self.shape.epsilon) * weight + bias
        return _unit(state, self.shape.epsilon) * weight

    def _linear(self, layer: int, part: str, state: State) -> State:
        return self._apply(self.weights.linear(layer, part), state)

    def _apply(self, linear: Linear, state: State) -> State:
        made = state @ self.stored(linear.weight).T
        return made if linear.bias is None else made + linear.bias


def _unit(state: State, epsilon: float) -> State:
    """Of root mean square one."""
    made: State = state / np.sqrt(np.square(state).mean(-1, keepdims=True) + np.float32(epsilon))
    return made


def _rotated(heads: State, cosines: State, sines: State) -> State:
    """Turn the two halves of the first `2 · width` values against each other; the rest stays."""
    half = cosines.shape[1]
    first, second, rest = heads[..., :half], heads[..., half : 2 * half], heads[..., 2 * half :]
    return np.concatenate([first * cosines - second * sines, second * cosines + first * sines, rest], -1)


def _capped(values: State, cap: float) -> State:
    return np.float32(cap) * np.tanh(values / np.float32(cap)) if cap else values


def _softmax(scores: State) -> State:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    shares: State = weights / weights.sum(-1, keepdims=True)
    return shares
