"""What graphs read and write, and where it lies: in main memory or on a device."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a graph. `shape`: None where it may vary."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


class Buffer:
    """Memory on the provider's device that graphs read and write in place; `raw`: the content there, if not on the CPU."""

    def __init__(self, host: Array, device: str, raw: Any) -> None:
        self._host = host
        self.shape = host.shape
        self.device = device
        self.dtype = host.dtype
        self.raw = raw

    def row(self, first: int) -> int:
        """The address of one row along the first axis."""
        start: int = self._host.ctypes.data if self.raw is None else self.raw.data_ptr()
        return start + first * self._host.strides[0]

    def edit(self, change: Callable[[Array], None]) -> None:
        """Change the content. Elsewhere than on the CPU all of it goes there and back."""
        if self.raw is None:
            change(self._host)
            return
        content = self.raw.numpy()
        change(content)
        self.raw.update_inplace(content)


class Kept:
    """An output of a run, in main memory that belongs to the runtime."""

    def __init__(self, raw: Any, dtype: np.dtype[Any]) -> None:
        self.raw = raw
        self._dtype = dtype

    def view(self) -> Array:
        """The content, uncopied: it lives no longer than this object."""
        return view(self.raw, self._dtype)


class Placed:
    """An array on the device that graphs read where it is."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.shape = tuple(int(size) for size in raw.shape())

    def numpy(self) -> Array:
        """A copy in main memory."""
        return np.array(self.raw.numpy())


def view(value: Any, dtype: np.dtype[Any]) -> Array:
    """What a value of the runtime holds in main memory, uncopied."""
    shape = value.shape()
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(value.data_ptr())
    return np.frombuffer(memory, dtype).reshape(shape)
