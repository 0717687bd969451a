"""A graph as its nodes hang together: who makes a value, and who takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Wiring:
    """A view of a graph, which must be made anew once the graph has changed."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.weights = {each.name: each for each in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        self._takers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)

    def maker(self, name: str, *kinds: str) -> onnx.NodeProto | None:
        """The node that makes a value, if it is of one of these kinds."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type in kinds else None

    def only_taker(self, name: str, kind: str) -> onnx.NodeProto | None:
        """The node that takes a value, if it is the only one and of this kind."""
        takers = self._takers.get(name, [])
        made_known = any(each.name == name for each in self.graph.output)
        return takers[0] if len(takers) == 1 and takers[0].op_type == kind and not made_known else None

    def constant(self, name: str) -> NDArray[Any] | None:
        """A small value that stands in the graph itself."""
        node = self.maker(name, "Constant")
        if node is not None and node.attribute[0].name == "value":
            value: NDArray[Any] = numpy_helper.to_array(node.attribute[0].t)
            return value
        stored = self.weights.get(name)
        if stored is not None and stored.data_location != onnx.TensorProto.EXTERNAL and np.prod(stored.dims) <= 16:
            kept: NDArray[Any] = numpy_helper.to_array(stored)
            return kept
        return None


def attribute(node: onnx.NodeProto, name: str, default: object = None) -> Any:
    """An attribute's value."""
    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def is_plain_filter(wiring: Wiring, conv: onnx.NodeProto) -> bool:
    """Whether it is a 3 × 3 filter that keeps the size, of a weight that the graph holds."""
    weight = wiring.weights.get(conv.input[1])
    plain = attribute(conv, "strides", [1, 1]) == [1, 1] and attribute(conv, "dilations", [1, 1]) == [1, 1]
    return (
        weight is not None
        and list(weight.dims[2:]) == [3, 3]
        and plain
        and attribute(conv, "group", 1) == 1
        and attribute(conv, "pads") == [1, 1, 1, 1]
    )


def replace_node(graph: onnx.GraphProto, old: onnx.NodeProto, new: Iterable[onnx.NodeProto]) -> None:
    """Put nodes in the place of one, so that the order stays one of running."""
    place = next(index for index, node in enumerate(graph.node) if node is old or node == old)
    del graph.node[place]
    for offset, node in enumerate(new):
        graph.node.insert(place + offset, node)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that nothing needs."""
    needed = {each.name for each in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed |= set(node.input) | {name for each in node.attribute for name in _inner(each)}
    weights = [each for each in graph.initializer if each.name in needed]
    kept.reverse()
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights)


def _inner(found: onnx.AttributeProto) -> set[str]:
    """What the graphs inside of a node (If, Loop) take."""
    return {name for node in found.g.node for name in node.input} | {
        name for node in found.g.node for each in node.attribute for name in _inner(each)
    }
