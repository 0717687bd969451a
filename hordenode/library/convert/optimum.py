"""The weights of a causal language model that optimum exported, by transformers' names again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from hordenode.library.convert.checkpoint import Weight
from hordenode.library.convert.graph_names import module_weights
from hordenode.library.convert.stored import stored_value
from hordenode.library.errors import LibraryError


class OptimumTensors:
    """Tensors of an exported model.onnx. Raises LibraryError."""

    def __init__(self, file: Path) -> None:
        self.where = file
        try:
            graph = onnx.load(str(file), load_external_data=False).graph
        except Exception as error:  # protobuf's errors have no base class that onnx promises
            raise LibraryError(f"{file}: is damaged or no ONNX file ({error}). Fetch it again.") from error
        stored = {each.name: each for each in graph.initializer}
        self._tensors = {name: (tensor, False) for name, tensor in stored.items()}
        for found in module_weights(graph):
            self._tensors[f"{found.module}.weight"] = (stored[found.initializer], found.transposed)

    def names(self) -> frozenset[str]:
        return frozenset(self._tensors)

    def read(self, name: str) -> Weight:
        tensor, transposed = self._tensors[name]
        try:
            value = stored_value(tensor, self.where.parent).astype(np.float32)
        except (OSError, ValueError) as error:
            raise LibraryError(
                f"{self.where}: the weight '{name}' cannot be read ({error}). Fetch it again."
            ) from error
        made: Weight = value.T if transposed else value
        return made
