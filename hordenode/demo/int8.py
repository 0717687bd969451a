"""Weights as 8-bit integers with one scale per row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
# What is added to the name of a weight for its integers and for its scales.
INTEGERS, SCALES = ".int8", ".scale"


def quantised(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Round a matrix [rows, columns] to integers -127..127 and scales [rows, 1] by which to multiply them."""
    scale = (np.abs(matrix).max(axis=1, keepdims=True) / LARGEST).astype(np.float16)
    # A row of zeros, or one so small that its scale vanishes in float16, is stored as zeros.
    safe = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.round(matrix / safe).clip(-LARGEST, LARGEST).astype(np.int8), scale


def rounded(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a matrix becomes by being stored."""
    integers, scale = quantised(matrix)
    return integers.astype(np.float32) * scale.astype(np.float32)
