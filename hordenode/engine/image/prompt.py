"""Prompts to hidden states: CLIP's tokens in chunks of the encoder's length, none of the words dropped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hordenode.engine.files import RESTORE, read_json
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Session
from hordenode.engine.tokenizer import open_tokenizer

States = NDArray[np.float32]

CLIP_LENGTH = 77


class TokenText(msgspec.Struct, frozen=True):
    """A token as some exporters write it."""

    content: str


class TokenizerConfig(msgspec.Struct, frozen=True):
    """What matters of tokenizer_config.json."""

    bos_token: str | TokenText = "<|startoftext|>"
    eos_token: str | TokenText = "<|endoftext|>"
    pad_token: str | TokenText = "<|endoftext|>"
    model_max_length: int = CLIP_LENGTH


class PromptTokenizer:
    """Text to rows of token ids: start, words, end, padding."""

    def __init__(self, folder: Path) -> None:
        config = read_json(folder / "tokenizer_config.json", TokenizerConfig)
        self._tokenizer = open_tokenizer(folder)
        self._start, self._end, self._pad = (
            self._id(folder, token) for token in (config.bos_token, config.eos_token, config.pad_token)
        )
        self.length = config.model_max_length

    def chunks(self, text: str) -> list[list[int]]:
        """Rows of `length` ids, at least one, as many as the text needs."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        room = self.length - 2
        return [self._row(ids[at : at + room]) for at in range(0, max(len(ids), 1), room)]

    def _row(self, words: list[int]) -> list[int]:
        row = [self._start, *words, self._end]
        return row + [self._pad] * (self.length - len(row))

    def _id(self, folder: Path, token: str | TokenText) -> int:
        text = token if isinstance(token, str) else token.content
        number: int | None = self._tokenizer.token_to_id(text)
        if number is None:
            raise ModelFileError(
                folder / "tokenizer_config.json", f"names the token {text!r}, which is unknown", RESTORE
            )
        return number


class PromptEncoder:
    """Prompts to the hidden states that steer a UNet."""

    def __init__(self, tokenizer: PromptTokenizer, session: Session) -> None:
        session.require("input_ids")
        self._tokenizer = tokenizer
        self._session = session

    def encode(self, *prompts: str) -> States:
        """[prompts, tokens, width]: all as long as the longest, filled up with empty chunks."""
        rows = [self._tokenizer.chunks(prompt) for prompt in prompts]
        longest = max(len(chunks) for chunks in rows)
        empty = self._tokenizer.chunks("")
        return np.concatenate([self._states(chunks + empty * (longest - len(chunks))) for chunks in rows])

    def _states(self, chunks: list[list[int]]) -> States:
        states = self._session.run({"input_ids": np.array(chunks)})
        return states.reshape(1, -1, states.shape[-1]).astype(np.float32)
