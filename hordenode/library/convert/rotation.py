"""Rotary position embeddings as checkpoints describe them (Su et al. 2021), with the ways to stretch them.

Both the graph and the reference take their tables from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]
Frequencies = NDArray[np.float64]


class UnsupportedRotation(Exception):
    """A way to stretch the embedding that is not known; the text names it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """`base`: of the geometric series; `width`: how many of a head's values turn; `scaling`: as config.json says."""

    base: float
    width: int
    scaling: Mapping[str, Any] = field(default_factory=dict)
    context: int = 0

    @property
    def kind(self) -> str:
        """The name of the scaling."""
        return str(self.scaling.get("rope_type") or self.scaling.get("type") or "default")

    @property
    def reach(self) -> int:
        """Longest context, in tokens, for which one table serves; 0 = any."""
        return int(self.scaling.get("original_max_position_embeddings") or 0) if self.kind in ("longrope", "su") else 0


def tables(rotation: Rotation, length: int) -> tuple[Table, Table]:
    """Cosines and sines, [length, width / 2] each. Raises UnsupportedRotation."""
    frequencies, factor = _SCALINGS.get(rotation.kind, _unknown)(rotation)
    angles = np.arange(length, dtype=np.float64)[:, None] * frequencies
    return (np.cos(angles) * factor).astype(np.float32), (np.sin(angles) * factor).astype(np.float32)


def _plain(rotation: Rotation) -> tuple[Frequencies, float]:
    steps = np.arange(0, rotation.width, 2, dtype=np.float64) / rotation.width
    return rotation.base**-steps, 1.0


def _linear(rotation: Rotation) -> tuple[Frequencies, float]:
    """Position interpolation (Chen et al. 2023)."""
    return _plain(rotation)[0] / float(rotation.scaling["factor"]), 1.0


def _llama3(rotation: Rotation) -> tuple[Frequencies, float]:
    """Llama 3.1: long waves are stretched, short ones stay, those between are blended."""
    scaling = rotation.scaling
    low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
    frequencies = _plain(rotation)[0]
    turns = float(scaling["original_max_position_embeddings"]) * frequencies / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return frequencies * (kept + (1 - kept) / float(scaling["factor"])), 1.0


def _longrope(rotation: Rotation) -> tuple[Frequencies, float]:
    """LongRoPE (Ding et al. 2024) with the factors for texts within the original context."""
    scaling = rotation.scaling
    original = float(scaling["original_max_position_embeddings"])
    stretch = float(scaling.get("factor") or rotation.context / original)
    factor = 1.0 if stretch <= 1 else math.sqrt(1 + math.log(stretch) / math.log(original))
    return _plain(rotation)[0] / np.asarray(scaling["short_factor"], np.float64), scaling.get(
        "attention_factor"
    ) or factor


def _yarn(rotation: Rotation) -> tuple[Frequencies, float]:
    """YaRN (Peng et al. 2023, section 3.4): interpolated by how often a wave turns within the original context."""
    scaling, width = rotation.scaling, rotation.width
    stretch = float(scaling["factor"])
    original = float(scaling.get("original_max_position_embeddings") or rotation.context)

    def turning(times: float) -> float:
        return width * math.log(original / (times * 2 * math.pi)) / (2 * math.log(rotation.base))

    low, high = turning(float(scaling.get("beta_fast") or 32)), turning(float(scaling.get("beta_slow") or 1))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    ramp = np.clip((np.arange(width // 2) - low) / max(high - low, 0.001), 0.0, 1.0)
    frequencies = _plain(rotation)[0]
    blended = frequencies / stretch * ramp + frequencies * (1 - ramp)
    return blended, float(scaling.get("attention_factor") or 0.1 * math.log(stretch) + 1.0)


def _unknown(rotation: Rotation) -> tuple[Frequencies, float]:
    raise UnsupportedRotation(f"rope scaling '{rotation.kind}'")


_SCALINGS = {
    "default": _plain,
    "linear": _linear,
    "llama3": _llama3,
    "longrope": _longrope,
    "su": _longrope,
    "yarn": _yarn,
}
