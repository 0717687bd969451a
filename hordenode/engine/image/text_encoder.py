"""CLIP's text encoders: chunks of tokens to the hidden states that steer a UNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.image.autoencoder import BROKEN
from hordenode.engine.image.graph import hidden_layers, with_outputs
from hordenode.engine.image.prompt import Chunk, PromptTokenizer
from hordenode.engine.jobs import ModelFileError, UnsupportedJob
from hordenode.engine.runtime import Session

States = NDArray[np.float32]

EPSILON = 1e-5  # of CLIP's layer normalisations
HIDDEN = "hidden_states."


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt. `states` [1, tokens, width]; `pooled` [1, width], for encoders that have it."""

    states: States
    pooled: States | None


class TextEncoder:
    """One encoder with its tokenizer.

    `penultimate`: the UNet was trained on the layer before the last, without the last normalisation (SDXL).
    """

    def __init__(
        self, tokenizer: PromptTokenizer, session: Session, reopen: Callable[[bytes], Session], *, penultimate: bool
    ) -> None:
        session.require("input_ids")
        self._tokenizer = tokenizer
        self._session = session
        self._reopen = reopen
        self._penultimate = penultimate
        self._layers = _named_layers(session)

    def encode(self, prompts: tuple[str, ...], clip_skip: int = 1) -> list[Encoded]:
        """All as long as the longest, filled up with empty chunks. `clip_skip` 1 skips nothing.

        Raises UnsupportedJob when the encoder has fewer layers.
        """
        rows = [self._tokenizer.chunks(prompt) for prompt in prompts]
        longest = max(len(chunks) for chunks in rows)
        empty = self._tokenizer.chunks("")
        return [self._encoded(chunks + empty * (longest - len(chunks)), clip_skip) for chunks in rows]

    def _encoded(self, chunks: list[Chunk], clip_skip: int) -> Encoded:
        states, pooled = self._run([chunk.ids for chunk in chunks], clip_skip)
        weights = np.array([chunk.weights for chunk in chunks], np.float32)[..., None]
        if (weights != 1).any():  # away from what the encoder says of an empty prompt
            nothing, _ = self._run([self._tokenizer.chunks("")[0].ids], clip_skip)
            states = nothing + (states - nothing) * weights
        return Encoded(states.reshape(1, -1, states.shape[-1]), pooled)

    def _run(self, rows: list[list[int]], clip_skip: int) -> tuple[States, States | None]:
        """(states of every row, pooled states of the first)."""
        outputs = self._session.outputs
        last = "last_hidden_state" if "last_hidden_state" in outputs else next(iter(outputs))
        depth = max(clip_skip, 2) if self._penultimate else clip_skip
        names = [last] if depth == 1 else self._layers_for(depth)
        fetch = [*names, *(["text_embeds"] if "text_embeds" in outputs else [])]
        if depth > 1 and not self._penultimate:
            fetch += [self._layers[-1], last]
        found = dict(zip(fetch, self._session.fetch({"input_ids": np.array(rows)}, fetch), strict=True))
        found = {name: value.astype(np.float32) for name, value in found.items()}
        if not all(np.isfinite(value).all() for value in found.values()):
            raise ModelFileError(self._session.file, "gave values that are no numbers (NaN)", BROKEN)
        states = found[names[0]]
        if depth > 1 and not self._penultimate:
            states = _normalised_alike(states, found[self._layers[-1]], found[last])
        return states, found["text_embeds"][:1] if "text_embeds" in found else None

    def _layers_for(self, depth: int) -> list[str]:
        """The hidden state that many layers from the end, made visible in the graph if need be."""
        if not self._layers:
            self._open_layers()
        if depth >= len(self._layers):
            raise UnsupportedJob(f"clip_skip is {depth}; this model's text encoder has {len(self._layers) - 1} layers.")
        return [self._layers[-depth]]

    def _open_layers(self) -> None:
        model = self._session.file.read_bytes()
        layers = hidden_layers(self._session.file, model)
        if len(layers) < 2:
            raise UnsupportedJob("clip_skip: this model's text encoder does not show its layers.")
        dtype = next(iter(self._session.outputs.values())).dtype
        self._session = self._reopen(with_outputs(model, layers, dtype.name))
        self._layers = layers


def _named_layers(session: Session) -> list[str]:
    """Hidden states that the export kept, in order."""
    names = [name for name in session.outputs if name.startswith(HIDDEN) and name[len(HIDDEN) :].isdecimal()]
    return sorted(names, key=lambda name: int(name[len(HIDDEN) :]))


def _normalised_alike(states: States, before: States, after: States) -> States:
    """States through the encoder's final normalisation, whose weights are found in what it made of its own input.

    The normalisation maps channels by n ↦ γ·n + β, so the line through all tokens of a channel is exact.
    """
    known = _normalised(before).reshape(-1, before.shape[-1])
    answers = after.astype(np.float64).reshape(known.shape)
    middle, centre = known.mean(0), answers.mean(0)
    spread = ((known - middle) ** 2).sum(0)
    gamma = ((known - middle) * (answers - centre)).sum(0) / np.maximum(spread, 1e-12)
    made: States = (_normalised(states) * gamma + (centre - gamma * middle)).astype(np.float32)
    return made


def _normalised(states: States) -> NDArray[np.float64]:
    wide = states.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    made: NDArray[np.float64] = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    return made
