"""Prompts to rows of CLIP's tokens: chunks of the encoder's length, none of the words dropped, each with its weight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from hordenode.engine.files import RESTORE, read_json
from hordenode.engine.image.prompt_syntax import parse
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.tokenizer import open_tokenizer

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


@dataclass(frozen=True, slots=True)
class Chunk:
    """One row for the encoder: start, words, end, padding, and what each of them counts."""

    ids: list[int]
    weights: list[float]


class PromptTokenizer:
    """Text to chunks of `length` tokens."""

    def __init__(self, folder: Path) -> None:
        config = read_json(folder / "tokenizer_config.json", TokenizerConfig)
        self._tokenizer = open_tokenizer(folder)
        self._start, self._end, self._pad = (
            self._id(folder, token) for token in (config.bos_token, config.eos_token, config.pad_token)
        )
        self.length = config.model_max_length

    def chunks(self, text: str) -> list[Chunk]:
        """At least one, as many as the text needs; BREAK starts a new one."""
        room = self.length - 2
        rows = []
        for part in parse(text):
            ids, weights = [], []
            for words in part:
                found = self._tokenizer.encode(words.text, add_special_tokens=False).ids
                ids += found
                weights += [words.weight] * len(found)
            starts = range(0, max(len(ids), 1), room)
            rows += [self._row(ids[at : at + room], weights[at : at + room]) for at in starts]
        return rows

    def _row(self, ids: list[int], weights: list[float]) -> Chunk:
        rest = self.length - len(ids) - 1
        return Chunk([self._start, *ids, self._end] + [self._pad] * (rest - 1), [1.0, *weights] + [1.0] * rest)

    def _id(self, folder: Path, token: str | TokenText) -> int:
        text = token if isinstance(token, str) else token.content
        number: int | None = self._tokenizer.token_to_id(text)
        if number is None:
            raise ModelFileError(
                folder / "tokenizer_config.json", f"names the token {text!r}, which is unknown", RESTORE
            )
        return number
