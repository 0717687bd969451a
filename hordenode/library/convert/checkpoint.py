"""The weights of a checkpoint by transformers' names, one at a time, so that none needs memory for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hordenode.library.convert.architecture import Architecture
from hordenode.library.errors import LibraryError

Weight = NDArray[np.float32]

# A model that also sees keeps its text half under a name of its own.
PREFIXES = ("model.", "language_model.model.", "model.language_model.")
HEADS = ("lm_head.", "language_model.lm_head.")


class Tensors(Protocol):
    """Named tensors of a file or several. `where`: for messages."""

    where: Path

    def names(self) -> frozenset[str]:
        """All of them."""
        ...

    def read(self, name: str) -> Weight:
        """One as float32."""
        ...


class SafeTensors:
    """Tensors of the *.safetensors files in a folder. Raises LibraryError."""

    def __init__(self, folder: Path) -> None:
        self.where = folder
        self._files: dict[str, Any] = {}
        for file in checkpoint_files(folder):
            opened = _open(file)
            self._files.update(dict.fromkeys(opened.keys(), opened))

    def names(self) -> frozenset[str]:
        return frozenset(self._files)

    def read(self, name: str) -> Weight:
        return np.asarray(self._files[name].get_tensor(name)).astype(np.float32)


def checkpoint_files(folder: Path) -> list[Path]:
    """The weight files of a checkpoint: model*.safetensors where there are such, as others repeat them."""
    found = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("*.safetensors"))
    if not found:
        raise LibraryError(
            f"{folder}: has no .safetensors file. Checkpoints in other formats (.bin, .pth) can run code."
        )
    return found


def _open(file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(str(file), framework="numpy")
    except (SafetensorError, OSError) as error:
        raise LibraryError(f"{file}: is damaged or truncated ({error}). Fetch it again.") from error


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map: weight [out, in], bias [out]."""

    weight: Weight
    bias: Weight | None

    def scaled(self, scale: float) -> Linear:
        """The map whose output is `scale` times as large."""
        factor = np.float32(scale)
        return Linear(self.weight * factor, None if self.bias is None else self.bias * factor)


def joined(*parts: Linear) -> Linear:
    """Linear maps of the same input as one, their outputs side by side."""
    weight = np.concatenate([part.weight for part in parts])
    if all(part.bias is None for part in parts):
        return Linear(weight, None)
    rows = [np.zeros(len(part.weight), np.float32) if part.bias is None else part.bias for part in parts]
    return Linear(weight, np.concatenate(rows))


class Checkpoint:
    """The weights that a decoder's graph is made of, checked for their shapes. Raises LibraryError."""

    def __init__(self, tensors: Tensors, architecture: Architecture) -> None:
        self._tensors = tensors
        self._shape = architecture
        names = tensors.names()
        self._names = names
        self._prefix = next((each for each in PREFIXES if f"{each}embed_tokens.weight" in names), PREFIXES[0])
        self._head = next((each for each in HEADS if f"{each}weight" in names), None)

    def embedding(self) -> Weight:
        """[vocabulary, hidden]"""
        return self._read(f"{self._prefix}embed_tokens.weight", (self._shape.vocabulary, self._shape.hidden))

    def head(self) -> Linear | None:
        """The output matrix; None where the embedding serves for it."""
        shape = self._shape
        if shape.tied or self._head is None:
            return None
        bias = f"{self._head}bias"
        return Linear(
            self._read(f"{self._head}weight", (shape.vocabulary, shape.hidden)),
            self._read(bias, (shape.vocabulary,)) if bias in self._names else None,
        )

    def norm(self, name: str, width: int) -> tuple[Weight, Weight | None]:
        """Weight, with the family's offset, and bias of a norm; `name` below the prefix."""
        name = f"{self._prefix}{name}"
        weight = self._read(f"{name}.weight", (width,)) + np.float32(self._shape.norm_offset)
        return weight, self._read(f"{name}.bias", (width,)) if self._shape.layer_norm else None

    def linear(self, layer: int, part: str) -> Linear:
        """`part`: q, k, v, o, gate, up or down."""
        rows, columns = _sizes(self._shape)[part]
        if self._shape.fused and part in _FUSED:
            return self._cut(layer, part)
        name = f"{self._prefix}layers.{layer}.{(_PLAIN if self._shape.plain else _GATED)[part]}"
        bias = f"{name}.bias"
        return Linear(
            self._read(f"{name}.weight", (rows, columns)), self._read(bias, (rows,)) if bias in self._names else None
        )

    def _cut(self, layer: int, part: str) -> Linear:
        """A piece of a matrix that holds several."""
        name, parts = _FUSED[part]
        sizes = _sizes(self._shape)
        ends = np.cumsum([sizes[each][0] for each in parts])
        whole = self._read(f"{self._prefix}layers.{layer}.{name}.weight", (int(ends[-1]), sizes[part][1]))
        end = int(ends[parts.index(part)])
        return Linear(whole[end - sizes[part][0] : end], None)

    def _read(self, name: str, expected: tuple[int, ...]) -> Weight:
        where = self._tensors.where
        if name not in self._names:
            raise LibraryError(f"{where}: lacks the tensor '{name}' that config.json promises. Fetch the model again.")
        value = self._tensors.read(name)
        if value.shape != expected:
            raise LibraryError(f"{where}: '{name}' has shape {value.shape} where config.json says {expected}.")
        if not np.isfinite(value).all():
            raise LibraryError(f"{where}: '{name}' holds values that are no numbers. The file is damaged.")
        return value


_GATED = {part: f"self_attn.{part}_proj" for part in "qkvo"} | {
    part: f"mlp.{part}_proj" for part in ("gate", "up", "down")
}
_PLAIN = {**_GATED, "o": "self_attn.dense", "up": "mlp.fc1", "down": "mlp.fc2"}
_FUSED: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys("qkv", ("self_attn.qkv_proj", ("q", "k", "v"))),
    **dict.fromkeys(("gate", "up"), ("mlp.gate_up_proj", ("gate", "up"))),
}


def _sizes(shape: Architecture) -> dict[str, tuple[int, int]]:
    """[out, in] of each linear map of a layer."""
    query, keys = shape.heads * shape.head_size, shape.key_value_heads * shape.head_size
    return {
        "q": (query, shape.hidden),
        "k": (keys, shape.hidden),
        "v": (keys, shape.hidden),
        "o": (shape.hidden, query),
        "gate": (shape.intermediate, shape.hidden),
        "up": (shape.intermediate, shape.hidden),
        "down": (shape.hidden, shape.intermediate),
    }
