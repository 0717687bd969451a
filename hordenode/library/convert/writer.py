"""A graph in the making, its weights written to a file beside it as they come: none but the current one is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hordenode.engine.text.config import PRODUCER

MICROSOFT = "com.microsoft"
OPSET, IR = 21, 10
MODEL, DATA = "model.onnx", "model.onnx.data"

# Weights from this size on stand in the data file, at multiples of what operating systems can map.
LARGE, PAGE = 1024, 65536

Array = NDArray[Any]


class GraphWriter:
    """Nodes in the order in which they are added. A node is named after what it makes."""

    def __init__(self, folder: Path, dtype: np.dtype[np.floating]) -> None:
        self.dtype = dtype
        self.type = helper.np_dtype_to_tensor_dtype(dtype)
        self._folder = folder
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._data = (folder / DATA).open("wb")

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its first output."""
        name = f"/{outputs[0].replace('.', '/')}/{kind}"
        self._nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=name, domain=domain, **attributes))
        return outputs[0]

    def constant(self, name: str, value: Array) -> str:
        """Store a value in its own type, once."""
        if name not in self._initializers:
            small = value.nbytes < LARGE
            self._initializers[name] = numpy_helper.from_array(value, name) if small else self._external(name, value)
        return name

    def weight(self, name: str, value: Array) -> str:
        """Store a value in the type of activations."""
        return self.constant(name, value.astype(self.dtype))

    def whole(self, *values: int) -> str:
        """Store whole numbers, for shapes and axes."""
        return self.constant("int64." + "_".join(str(value) for value in values), np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """Store one number in the type of activations."""
        return self.constant(f"scalar.{value!r}", np.array(value, self.dtype))

    def save(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> None:
        """Write the graph."""
        self.close()
        graph = helper.make_graph(self._nodes, "decoder", inputs, outputs, list(self._initializers.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name=PRODUCER)
        onnx.save(model, str(self._folder / MODEL))

    def close(self) -> None:
        """Close the data file."""
        self._data.close()

    def _external(self, name: str, value: Array) -> onnx.TensorProto:
        self._data.write(b"\0" * (-self._data.tell() % PAGE))
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": DATA, "offset": self._data.tell(), "length": value.nbytes}
        for key, entry in place.items():
            tensor.external_data.add(key=key, value=str(entry))
        self._data.write(np.ascontiguousarray(value).data)
        return tensor
