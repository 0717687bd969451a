"""Which initializer of an exported graph is the weight of which module.

Exporters rename the weights of linear maps (`onnx::MatMul_5651`), but nodes keep the path of their module:
`/down_blocks.0/attentions.0/to_q/MatMul`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx

CHANGED = "Changed"  # name of the node that takes a convolution's weight which is transformed when a session loads
NOBODYS = ".winograd"  # ends the names of initializers that are no module's


@dataclass(frozen=True, slots=True)
class ModuleWeight:
    """`initializer` holds the weight of `module`; `transposed`: as [in, out] where modules keep [out, in]."""

    module: str
    initializer: str
    transposed: bool


def module_weights(graph: onnx.GraphProto) -> Iterator[ModuleWeight]:
    """The weights of all linear maps and convolutions in the order of the graph."""
    stored = {each.name: each.name for each in graph.initializer if not each.name.endswith(NOBODYS)}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:  # kept in another type than it is used in
            stored[node.output[0]] = stored[node.input[0]]
        if node.op_type == "Reshape" and node.name.endswith(f"/{CHANGED}") and node.input[0] in stored:
            yield ModuleWeight(_module(node.name), stored[node.input[0]], False)
        if node.op_type in ("MatMul", "Gemm", "Conv") and len(node.input) > 1 and node.input[1] in stored:
            as_module = node.op_type == "Conv" or any(each.name == "transB" and each.i for each in node.attribute)
            yield ModuleWeight(_module(node.name), stored[node.input[1]], not as_module)


def _module(node: str) -> str:
    return node.strip("/").rsplit("/", 1)[0].replace("/", ".")
