"""How the weights of a text model are stored, and what that costs in exactness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weight = NDArray[np.float32]

# Weights that share a scale; what ONNX Runtime's kernels are tuned for.
BLOCK = 32


@dataclass(frozen=True, slots=True)
class Precision:
    """`bits` per weight of a linear map, 0 = not quantised. `half`: activations and the key-value cache in float16.

    `tolerance`: by how much, relative to the spread of the logits, the graph may differ from exact arithmetic with the
    very weights that it stores (root mean square). The quantised kernels round activations to 8 bits.
    """

    name: str
    bits: int
    half: bool
    tolerance: float

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Of activations."""
        return np.dtype(np.float16 if self.half else np.float32)


PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision("fp32", 0, False, 1e-4),
        Precision("fp16", 0, True, 2e-2),
        Precision("int8", 8, False, 6e-2),
        Precision("int4", 4, False, 6e-2),
    )
}


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weights [out, in] in blocks along `in`: packed [out, blocks, bytes] and scales [out, blocks]."""

    packed: NDArray[np.uint8]
    scales: Weight


def quantised(weight: Weight, bits: int) -> Blocks:
    """Round to whole multiples of a block's scale, around the middle of the unsigned range.

    The value of largest size decides the scale and meets the end of the range that reaches further, the negative one.
    """
    middle = 2 ** (bits - 1)
    blocks = _blocks(weight)
    peak = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    scales = peak / np.float32(-middle)
    safe = np.where(scales == 0, np.float32(1), scales)
    levels = np.clip(np.rint(blocks / safe[..., None]) + middle, 0, 2 * middle - 1).astype(np.uint8)
    packed = levels if bits == 8 else levels[..., 0::2] | levels[..., 1::2] << 4
    return Blocks(packed, scales.astype(np.float32))


def restored(blocks: Blocks, bits: int, width: int) -> Weight:
    """What the packed weights [out, width] stand for."""
    packed = blocks.packed
    levels = packed if bits == 8 else np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:2], -1)
    values = (levels.astype(np.float32) - 2 ** (bits - 1)) * blocks.scales[..., None]
    return np.ascontiguousarray(values.reshape(len(values), -1)[:, :width])


def _blocks(weight: Weight) -> Weight:
    """[out, in] to [out, blocks, BLOCK], filled up with zeros."""
    rows, columns = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -columns % BLOCK)))
    return padded.reshape(rows, -1, BLOCK)
