"""The UNet of the Stable Diffusion families, with classifier-free guidance; the graph's inputs say which family."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from hordenode.engine.files import read_json
from hordenode.engine.image.autoencoder import BROKEN, MISFIT
from hordenode.engine.image.denoiser import Latent
from hordenode.engine.image.text_encoder import States
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Binding, Session
from hordenode.engine.tensors import Array

PLAIN = ("sample", "timestep", "encoder_hidden_states")
OPTIONAL = ("text_embeds", "time_ids", "timestep_cond")
TIME_IDS = 6  # original size, crop, target size (Podell et al. 2023, section 2.2)
DEFAULT_DEPTH = 4
SCORES, NEVER_WHOLE = "hordenode.attention_scores", "never whole"  # a note in graphs whose attention goes in blocks
WHOLE_AREA = 48 * 48  # latents; above, both halves of guidance in one run take twice the memory and save no time


class UnetConfig(msgspec.Struct, frozen=True):
    """What matters of unet/config.json."""

    in_channels: int | None = None
    block_out_channels: list[int] | None = None
    sample_size: int | list[int] | None = None
    time_cond_proj_dim: int | None = None
    attention_head_dim: int | list[int] = 8
    down_block_types: list[str] | None = None

    @property
    def multiple(self) -> int:
        """Of what number the sides of a latent must be multiples: each further block halves it."""
        depth = len(self.block_out_channels) if self.block_out_channels else DEFAULT_DEPTH
        return int(2 ** (depth - 1))

    @property
    def heads(self) -> tuple[int, int]:
        """(number of heads, halvings before it) of the attention over most places; diffusers' key means the number."""
        kinds = self.down_block_types or ["CrossAttnDownBlock2D"]
        level = next((index for index, kind in enumerate(kinds) if "CrossAttn" in kind), 0)
        count = self.attention_head_dim
        return (count if isinstance(count, int) else count[level]), level

    @property
    def native_area(self) -> int:
        """Latents of the pictures that it was trained on; 0 = not said."""
        if self.sample_size is None:
            return 0
        size = self.sample_size if isinstance(self.sample_size, list) else [self.sample_size] * 2
        return size[0] * size[-1]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a picture is steered by: states [1, tokens, width]; for SDXL pooled [1, width] and time ids [1, 6]."""

    states: States
    pooled: States | None = None
    time_ids: Array | None = None


class Unet:
    """A loaded UNet. Types and ranks of its inputs differ between exports: the graph says them."""

    def __init__(self, session: Session, folder: Path, latent_channels: int, *, frugal: bool = False) -> None:
        """Raises ModelFileError for a graph of another family."""
        session.require(*PLAIN)
        self.config = read_json(folder / "config.json", UnetConfig)
        self._session = session
        self._frugal = frugal
        self._output = next(iter(session.outputs))
        self._timestep = session.inputs["timestep"]
        self._check_inputs()
        channels = session.inputs["sample"].shape[1] or self.config.in_channels or latent_channels
        if channels not in (latent_channels, 2 * latent_channels + 1):
            raise self._other(f"takes {channels} channels for latents of {latent_channels}")
        self.inpaints = channels != latent_channels
        self.distilled = "timestep_cond" in session.inputs
        self.wants_pooled = "text_embeds" in session.inputs

    @property
    def heads(self) -> tuple[int, int]:
        """As the configuration says; none where scores take no memory."""
        return (0, 0) if self._session.notes.get(SCORES) == NEVER_WHOLE else self.config.heads

    def guided(self, empty: Condition, prompt: Condition, scale: float, area: int, count: int = 1) -> Guidance:
        """Steered by `prompt` away from `empty` (Ho & Salimans 2022), for so many latents of this area.

        Scale 1 needs the prompt alone, and so does a distilled model, which is told the scale (Meng et al. 2023).
        """
        if scale == 1.0 or self.distilled:
            return Guidance(self, (Half(self.bind((prompt,) * count, scale), 1),), (1.0,), count)
        weights = (1.0 - scale, scale)
        if self._frugal and area > WHOLE_AREA:
            halves = tuple(Half(self.bind((each,) * count, scale), 1) for each in (empty, prompt))
            return Guidance(self, halves, weights, count)
        both = (empty,) * count + (prompt,) * count
        return Guidance(self, (Half(self.bind(both, scale), 2),), weights, count)

    def bind(self, conditions: tuple[Condition, ...], scale: float) -> Binding:
        """A binding with everything that stays the same from step to step."""
        bound = self._session.bind(self._output)
        bound.keep("encoder_hidden_states", np.concatenate([each.states for each in conditions]))
        for name in OPTIONAL:
            if name in self._session.inputs:
                bound.keep(name, np.concatenate([self._further(name, each, scale) for each in conditions]))
        return bound

    def time(self, timestep: float) -> Array:
        """A training step as the graph wants it."""
        whole = np.issubdtype(self._timestep.dtype, np.integer)
        value = np.array(round(timestep) if whole else timestep, self._timestep.dtype)
        return value.reshape((1,) * len(self._timestep.shape))

    @property
    def dtypes(self) -> tuple[str, str]:
        """Of the latents that go in, and of the predictions that come out."""
        return self._session.inputs["sample"].dtype.name, self._session.outputs[self._output].dtype.name

    def check_shape(self, made: tuple[int, ...], expected: tuple[int, ...]) -> None:
        """Raises ModelFileError for predictions of another shape than their latents."""
        if made != expected:
            raise ModelFileError(self._session.file, f"gave {list(made)} instead of {list(expected)}", MISFIT)

    def check_numbers(self, made: Array) -> None:
        """Raises ModelFileError for NaN and infinity."""
        if not np.isfinite(made).all():
            raise ModelFileError(self._session.file, "gave values that are no numbers (NaN)", BROKEN)

    def _further(self, name: str, condition: Condition, scale: float) -> Array:
        if name == "timestep_cond":
            return guidance_embedding(scale, self.config.time_cond_proj_dim or 256)
        found = condition.pooled if name == "text_embeds" else condition.time_ids
        assert found is not None  # the pipeline gives them to a UNet that wants them
        return found

    def _check_inputs(self) -> None:
        for name in self._session.inputs:
            if name not in PLAIN + OPTIONAL:
                raise self._other(f"wants an input '{name}'")
        ids = self._session.inputs.get("time_ids")
        if ids is not None and ids.shape[-1] not in (None, TIME_IDS):
            raise self._other(f"wants {ids.shape[-1]} time ids, as refiners do")

    def _other(self, trouble: str) -> ModelFileError:
        return ModelFileError(self._session.file, trouble, "It belongs to a family that this engine does not run yet.")


@dataclass(frozen=True, slots=True)
class Half:
    """A run of the UNet for one side of guidance, or with `sides` 2 for both. What stays the same is bound."""

    bound: Binding
    sides: int


@dataclass(frozen=True, slots=True)
class Guidance:
    """The runs that make a prediction: the sum of all their sides with these `weights`. `count`: latents at a time."""

    unet: Unet
    halves: tuple[Half, ...]
    weights: tuple[float, ...]
    count: int = 1

    def predict(self, x: Latent, timestep: float, beside: Latent | None = None) -> Latent:
        """For a latent in main memory; `beside`: an inpainting model's further channels. Raises ModelFileError."""
        whole, time, sides = x if beside is None else np.concatenate([x, beside], axis=1), self.unet.time(timestep), []
        for half in self.halves:
            sample = np.concatenate([whole] * half.sides) if half.sides > 1 else whole
            made = half.bound.run({"sample": sample, "timestep": time})
            self.unet.check_shape(made.shape, (half.sides * len(x), *x.shape[1:]))
            self.unet.check_numbers(made)
            sides += np.split(made.astype(np.float32), half.sides)
        if len(sides) == 1:
            return sides[0]
        without, with_prompt = sides
        return without + np.float32(self.weights[1]) * (with_prompt - without)


def guidance_embedding(scale: float, size: int) -> States:
    """The guidance scale as sines and cosines [1, size] (Luo et al. 2023, section 4.1; diffusers' numbers)."""
    half = size // 2
    rates = np.exp(-np.log(10000.0) * np.arange(half) / (half - 1))
    angles = (scale - 1.0) * 1000.0 * rates
    made = np.concatenate([np.sin(angles), np.cos(angles), np.zeros(size % 2)])
    return made[None].astype(np.float32)
