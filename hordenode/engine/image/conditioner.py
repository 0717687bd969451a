"""Prompts to what a UNet is steered by, from one text encoder or from SDXL's two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from hordenode.engine.files import read_json
from hordenode.engine.image.prompt import PromptTokenizer
from hordenode.engine.image.text_encoder import Encoded, States, TextEncoder
from hordenode.engine.image.unet import Condition
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Runtime


class ModelIndex(msgspec.Struct, frozen=True):
    """What matters of model_index.json."""

    force_zeros_for_empty_prompt: bool = True


@dataclass(frozen=True, slots=True)
class Guide:
    """The two sides of guidance, before the size of the picture is known."""

    empty: Encoded
    prompt: Encoded

    def at(self, width: int, height: int) -> tuple[Condition, Condition]:
        """For a picture of this size in pixels: not cropped, and meant to be what it is (Podell et al. 2023)."""
        ids = np.array([[height, width, 0, 0, height, width]], np.float32)
        empty, prompt = (Condition(each.states, each.pooled, ids) for each in (self.empty, self.prompt))
        return empty, prompt


class Conditioner:
    """The text encoders of a model's folder."""

    def __init__(self, folder: Path, runtime: Runtime, *, pooled: bool) -> None:
        """`pooled`: the UNet wants what only SDXL's second encoder gives. Raises ModelFileError."""
        double = (folder / "text_encoder_2").is_dir()
        names = ("", "_2") if double else ("",)
        self._encoders = [_encoder(folder, name, runtime, penultimate=double) for name in names]
        if pooled and not double:
            raise ModelFileError(folder / "text_encoder_2", "is missing, but the UNet wants its pooled states", "")
        index = folder / "model_index.json"
        self._zeros = (
            double and (read_json(index, ModelIndex) if index.exists() else ModelIndex()).force_zeros_for_empty_prompt
        )

    def guide(self, negative: str, prompt: str, clip_skip: int) -> Guide:
        """Both prompts, equally long. Raises UnsupportedJob for a clip_skip beyond the encoder's layers."""
        sides = [encoder.encode((negative, prompt), clip_skip) for encoder in self._encoders]
        empty, wanted = (_beside([side[index] for side in sides]) for index in (0, 1))
        if self._zeros and not negative:  # what SDXL was trained to take for "no prompt"
            assert empty.pooled is not None
            empty = Encoded(np.zeros_like(empty.states), np.zeros_like(empty.pooled))
        return Guide(empty, wanted)


def _encoder(folder: Path, suffix: str, runtime: Runtime, *, penultimate: bool) -> TextEncoder:
    file = folder / f"text_encoder{suffix}" / "model.onnx"
    tokenizer = PromptTokenizer(folder / f"tokenizer{suffix}")
    return TextEncoder(tokenizer, runtime.open(file), lambda model: runtime.open(file, model), penultimate=penultimate)


def _beside(sides: list[Encoded]) -> Encoded:
    """States of several encoders side by side; pooled ones of the last that has them."""
    longest = max(side.states.shape[1] for side in sides)
    states = np.concatenate([_padded(side.states, longest) for side in sides], axis=-1)
    return Encoded(states, sides[-1].pooled)


def _padded(states: States, length: int) -> States:
    return np.pad(states, ((0, 0), (0, length - states.shape[1]), (0, 0)))
