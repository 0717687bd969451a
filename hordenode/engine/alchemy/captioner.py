"""The form `caption`: a vision encoder and a text decoder, in the layout that Optimum exports them in.

encoder_model.onnx   pixel_values -> hidden states        decoder_model.onnx   input_ids, encoder_hidden_states -> logits
preprocessor_config.json, tokenizer.json, generation_config.json (or config.json)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.options import Options, number, whole
from hordenode.engine.files import RESTORE, read_json
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.preparation import Preparation
from hordenode.engine.runtime import Runtime
from hordenode.engine.tokenizer import open_tokenizer

MAX_LENGTH, LONGEST = 50, 200  # tokens
MOST_BEAMS = 16


class Generation(msgspec.Struct, frozen=True):
    """Which tokens a caption begins and ends with."""

    decoder_start_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    @property
    def start(self) -> int | None:
        return self.bos_token_id if self.decoder_start_token_id is None else self.decoder_start_token_id

    @property
    def ends(self) -> tuple[int, ...]:
        if self.eos_token_id is None:
            return ()
        return (self.eos_token_id,) if isinstance(self.eos_token_id, int) else tuple(self.eos_token_id)


@dataclass(frozen=True, slots=True)
class Search:
    """How a caption is looked for: the likeliest of `beams` side by side. Lengths in tokens."""

    beams: int
    min_length: int
    max_length: int
    repetition_penalty: float


@dataclass(frozen=True, slots=True)
class Beam:
    """Tokens so far and the sum of their log probabilities."""

    tokens: tuple[int, ...]
    score: float

    @property
    def mean(self) -> float:
        return self.score / len(self.tokens)


class Captioner:
    """A loaded pair."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        folder = model.path
        self._encoder = runtime.open(folder / "encoder_model.onnx")
        self._decoder = runtime.open(folder / "decoder_model.onnx")
        self._encoder.require("pixel_values")
        self._decoder.require("input_ids", "encoder_hidden_states")
        self._preparation = read_json(folder / "preprocessor_config.json", Preparation)
        self._tokenizer = open_tokenizer(folder)
        own = folder / "generation_config.json"
        file = own if own.is_file() else folder / "config.json"
        generation = read_json(file, Generation)
        if generation.start is None or not generation.ends:
            raise ModelFileError(file, "does not say which tokens a text begins and ends with", RESTORE)
        self._start, self._ends = generation.start, generation.ends

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> str:
        """A sentence about the picture. Options: num_beams (1), min_length, max_length (50), repetition_penalty."""
        longest = whole(options, "max_length", MAX_LENGTH, 1, LONGEST)
        search = Search(
            beams=whole(options, "num_beams", 1, 1, MOST_BEAMS),
            min_length=whole(options, "min_length", 0, 0, longest),
            max_length=longest,
            repetition_penalty=number(options, "repetition_penalty", 1.0, 1.0, 10.0),
        )
        hidden = self._encoder.run({"pixel_values": self._preparation.prepared(image)})
        tokens = self._best(hidden, search, done)
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text.strip()

    def _best(self, hidden: NDArray[np.float32], search: Search, done: Callable[[int, int], None]) -> tuple[int, ...]:
        beams, finished = [Beam((self._start,), 0.0)], list[Beam]()
        for length in range(1, search.max_length + 1):
            found = self._extended(beams, hidden, search, length)
            ended = [beam for beam in found[: search.beams] if beam.tokens[-1] in self._ends]
            finished = sorted([*finished, *ended], key=lambda beam: -beam.mean)[: search.beams]
            beams = [beam for beam in found if beam.tokens[-1] not in self._ends][: search.beams]
            done(length, search.max_length)
            if not beams or (len(finished) == search.beams and beams[0].mean <= finished[-1].mean):
                break
        return max(finished or beams, key=lambda beam: beam.mean).tokens[1:]

    def _extended(self, beams: list[Beam], hidden: NDArray[np.float32], search: Search, length: int) -> list[Beam]:
        """All beams with their likeliest next tokens, best first."""
        tokens = np.array([beam.tokens for beam in beams], np.int64)
        feeds: dict[str, NDArray[Any]] = {
            "input_ids": tokens,
            "encoder_hidden_states": np.repeat(hidden, len(beams), axis=0),
        }
        if "encoder_attention_mask" in self._decoder.inputs:
            feeds["encoder_attention_mask"] = np.ones((len(beams), hidden.shape[1]), np.int64)
        logits = np.asarray(self._decoder.run(feeds), np.float64)[:, -1]
        found = []
        for beam, row in zip(beams, logits, strict=True):
            _penalize(row, beam.tokens, search.repetition_penalty)
            if length <= search.min_length:
                row[list(self._ends)] = -np.inf
            likely = row - row.max()
            likely -= np.log(np.exp(likely).sum())
            for token in np.argsort(-likely, kind="stable")[: 2 * search.beams]:
                found.append(Beam((*beam.tokens, int(token)), beam.score + float(likely[token])))
        return sorted(found, key=lambda beam: -beam.score)


def _penalize(row: NDArray[np.float64], tokens: tuple[int, ...], penalty: float) -> None:
    """Make what was said already less likely (Keskar et al. 2019)."""
    if penalty != 1.0:
        said = list(set(tokens))
        row[said] = np.where(row[said] > 0, row[said] / penalty, row[said] * penalty)
