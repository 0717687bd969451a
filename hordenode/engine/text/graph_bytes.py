"""An ONNX graph as the bytes of its file: its nodes and tensors, and new ones to put among them (onnx.proto).

The runtime's wheel brings no library that edits graphs, and what is changed here is changed in memory, while a model loads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hordenode.engine.protobuf import Field, bodies, fields, message, number, values

# Field numbers of onnx.proto.
IR_VERSION, GRAPH, OPSET, NODE, GRAPH_NAME, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 7, 8, 1, 2, 5, 11, 12, 13
OPSET_DOMAIN, OPSET_VERSION = 1, 2
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_TYPE, INT, INTS = 1, 3, 8, 20, 2, 7
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 8, 9, 13, 14
FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11
EXTERNAL, ENTRY_KEY, ENTRY_VALUE = 1, 1, 2
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT, SHAPE, DIMENSION, SIZE, SIZE_NAME = 1, 2, 1, 1, 2, 1, 1, 2

FORMAT = 8  # of files, as old as the operators that are used allow


@dataclass(frozen=True, slots=True)
class Node:
    """A node, from `start` to `end` in its graph."""

    start: int
    end: int
    body: memoryview
    op: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]

    def numbers(self) -> dict[bytes, list[int]]:
        """Its attributes; of those that are no whole numbers, nothing."""
        found = {}
        for each in bodies(self.body, NODE_ATTRIBUTE):
            found[text(each, ATTRIBUTE_NAME)] = [*values(each, ATTRIBUTE_INT), *values(each, ATTRIBUTE_INTS)]
        return found


def change(model: bytes, changed: Callable[[memoryview], bytes | None]) -> bytes | None:
    """The model with another graph; None where it has no single one, or `changed` makes none of it."""
    graphs = [field for field in fields(model) if field.number == GRAPH]
    if len(graphs) != 1:
        return None
    graph = changed(graphs[0].body)
    if graph is None:
        return None
    return b"".join((model[: graphs[0].start], message(GRAPH, graph), model[graphs[0].end :]))


def text(body: memoryview, field: int) -> bytes:
    """A field that is a text; empty where it is missing."""
    return b"".join(bodies(body, field))


def nodes(graph: memoryview) -> list[Node]:
    """All nodes, in their order."""
    return [_node(field) for field in fields(graph) if field.number == NODE]


def _node(field: Field) -> Node:
    inputs, outputs = (tuple(bytes(each) for each in bodies(field.body, kind)) for kind in (NODE_INPUT, NODE_OUTPUT))
    return Node(field.start, field.end, field.body, text(field.body, NODE_OP), inputs, outputs)


def opset(model: bytes) -> int:
    """The version of ONNX's own operators."""
    own = (each for each in bodies(model, OPSET) if not text(each, OPSET_DOMAIN))
    return max((version for each in own for version in values(each, OPSET_VERSION)), default=0)


def made(kind: bytes, inputs: Iterable[bytes], output: bytes, *attributes: bytes, more: bytes = b"") -> bytes:
    """A node, named after what it makes; `more`: a second output."""
    outputs = [(NODE_OUTPUT, name) for name in (output, more) if name]
    parts = [*((NODE_INPUT, name) for name in inputs), *outputs, (NODE_NAME, output), (NODE_OP, kind)]
    return message(
        NODE, b"".join(message(*part) for part in [*parts, *((NODE_ATTRIBUTE, each) for each in attributes)])
    )


def one(name: bytes, value: int) -> bytes:
    """An attribute that is a whole number."""
    return message(ATTRIBUTE_NAME, name) + number(ATTRIBUTE_INT, value) + number(ATTRIBUTE_TYPE, INT)


def several(name: bytes, *content: int) -> bytes:
    """An attribute that is a list of whole numbers."""
    listed = b"".join(number(ATTRIBUTE_INTS, value) for value in content)
    return message(ATTRIBUTE_NAME, name) + listed + number(ATTRIBUTE_TYPE, INTS)


def whole(name: bytes, content: Iterable[int]) -> bytes:
    """A tensor of whole numbers along one axis."""
    raw = b"".join(each.to_bytes(8, "little", signed=True) for each in content)
    tensor = number(DIMS, len(raw) // 8) + number(DATA_TYPE, INT64) + message(TENSOR_NAME, name)
    return message(INITIALIZER, tensor + message(RAW_DATA, raw))


def real(name: bytes, value: float) -> bytes:
    """A tensor that is one number in double precision."""
    tensor = number(DATA_TYPE, DOUBLE) + message(TENSOR_NAME, name) + message(RAW_DATA, struct.pack("<d", value))
    return message(INITIALIZER, tensor)


def end(field: int, name: str, element: int) -> bytes:
    """An input or output."""
    kind = message(VALUE_TYPE, message(TENSOR_TYPE, number(ELEMENT, element)))
    return message(field, message(VALUE_NAME, name.encode()) + kind)


def model(graph: bytes, version: int) -> bytes:
    """A model of a graph in this version of ONNX's own operators."""
    named = message(GRAPH_NAME, b"hordenode") + graph
    own = message(OPSET, message(OPSET_DOMAIN, b"") + number(OPSET_VERSION, version))
    return number(IR_VERSION, FORMAT) + own + message(GRAPH, named)


def sized(name: bytes, *sizes: int | bytes) -> bytes:
    """What is known of the shape of a float32 value that nodes make: numbers, and names of what may vary."""
    shape = b"".join(
        message(DIMENSION, number(SIZE, size) if isinstance(size, int) else message(SIZE_NAME, size)) for size in sizes
    )
    kind = message(VALUE_TYPE, message(TENSOR_TYPE, number(ELEMENT, FLOAT) + message(SHAPE, shape)))
    return message(VALUE_INFO, message(VALUE_NAME, name) + kind)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A stored float32 matrix [rows, columns], from `start` to `end` in its graph."""

    start: int
    end: int
    body: memoryview
    name: bytes
    rows: int
    columns: int

    def filters(self, name: bytes, first: int, count: int) -> bytes:
        """Some of its rows as the pointwise filters [count, columns, 1, 1], out of the same bytes in the same file."""
        head = b"".join(number(DIMS, size) for size in (count, self.columns, 1, 1))
        head += number(DATA_TYPE, FLOAT) + message(TENSOR_NAME, name)
        skipped, length = (4 * self.columns * rows for rows in (first, count))
        raw = next(bodies(self.body, RAW_DATA), None)
        if raw is not None:
            return message(INITIALIZER, head + message(RAW_DATA, bytes(raw[skipped : skipped + length])))
        place = dict(_place(self.body))
        place |= {b"offset": b"%d" % (int(place.get(b"offset", b"0")) + skipped), b"length": b"%d" % length}
        entries = (message(ENTRY_KEY, key) + message(ENTRY_VALUE, value) for key, value in place.items())
        listed = b"".join(message(EXTERNAL_DATA, entry) for entry in entries)
        return message(INITIALIZER, head + listed + number(DATA_LOCATION, EXTERNAL))


def matrices(graph: memoryview) -> dict[bytes, Matrix]:
    """The stored float32 matrices by name, inside the file or beside it."""
    found = {}
    for field in fields(graph):
        if field.number == INITIALIZER and list(values(field.body, DATA_TYPE)) == [FLOAT]:
            sizes, name = _sizes(field.body), text(field.body, TENSOR_NAME)
            is_known = next(bodies(field.body, RAW_DATA), None) is not None or any(_place(field.body))
            if len(sizes) == 2 and is_known:
                found[name] = Matrix(field.start, field.end, field.body, name, *sizes)
    return found


def _sizes(tensor: memoryview) -> list[int]:
    """Its dimensions: numbers one by one, or packed."""
    sizes = []
    for field in fields(tensor):
        if field.number == DIMS:
            sizes += list(_packed(field.body)) if len(field.body) else [field.value]
    return sizes


def _packed(body: memoryview) -> Iterator[int]:
    value = shift = 0
    for byte in body:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def _place(tensor: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Where a tensor's bytes are in another file."""
    return ((text(entry, ENTRY_KEY), text(entry, ENTRY_VALUE)) for entry in bodies(tensor, EXTERNAL_DATA))
