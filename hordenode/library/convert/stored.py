"""Reads an initializer, also one whose values stand in a file beside the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from hordenode.library.paths import safe_names


def stored_value(tensor: onnx.TensorProto, folder: Path) -> NDArray[Any]:
    """The values of an initializer of a graph in `folder`. Raises LibraryError, OSError and ValueError.

    onnx's own reader refuses files with several names, as downloads that are still kept for another try have.
    """
    if not uses_external_data(tensor):
        inside: NDArray[Any] = numpy_helper.to_array(tensor)
        return inside
    info = ExternalDataInfo(tensor)
    file = folder / safe_names([info.location], folder)[0]
    count = int(np.prod(tensor.dims, dtype=np.int64))
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    values: NDArray[Any] = np.fromfile(file, dtype, count, offset=info.offset or 0)
    return values.reshape(tuple(tensor.dims))
