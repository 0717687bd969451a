"""Reading a prompt needs the logits of its last token alone, and a graph computes those of all: a fifth of the work.

So the last position is taken before the output matrix instead of behind it. And the graph tells the highest of each few
neighbours among the logits, with all its threads and while they are at hand: who chooses a token then need not read all.
The graph is changed in memory, as it is loaded; the file stays as other programs know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hordenode.engine.protobuf import bodies, fields, message, number, values
from hordenode.engine.text.samplers import SPAN, WIDE

# Field numbers of onnx.proto.
GRAPH, OPSET, NODE, INITIALIZER, OUTPUT = 7, 8, 1, 5, 12
OPSET_DOMAIN, OPSET_VERSION = 1, 2
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_TYPE, INT, INTS = 1, 3, 8, 20, 2, 7
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA, FLOAT, INT64 = 1, 2, 8, 9, 1, 7
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT, SHAPE, DIMENSION, SIZE = 1, 2, 1, 1, 2, 1, 1
AXES_ARE_INPUT = 18  # from this opset on

MATRICES = (b"MatMul", b"FusedMatMul", b"MatMulNBits")
BEHIND = (b"Cast", b"Mul", b"Div", b"Add", b"Tanh")  # what may come between: it takes each position by itself
LARGEST = 256 * 2**20  # a file with its weights inside that is larger is not read just for this
NAME = b"hordenode.last_token"
SPANS = "hordenode.spans"  # output [rows, spans] of a changed graph


@dataclass(frozen=True, slots=True)
class _Node:
    start: int
    end: int
    body: memoryview
    op: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]


def last_only(file: Path, logits: str) -> bytes | None:
    """The model in a file, made to compute the output `logits` for the last position alone; None where it cannot be."""
    try:
        if file.stat().st_size > LARGEST:
            return None
        return trimmed(file.read_bytes(), logits)
    except (OSError, IndexError, ValueError):
        return None  # the runtime will say what is wrong with it


def trimmed(model: bytes, logits: str) -> bytes | None:
    """As above, of a model's bytes. Raises IndexError and ValueError for what is no message."""
    graphs = [field for field in fields(model) if field.number == GRAPH]
    if len(graphs) != 1:
        return None
    graph = graphs[0].body
    matrix = _matrix(graph, logits.encode())
    if matrix is None:
        return None
    changed = b"".join(
        (
            graph[: matrix.start],
            _gather(matrix.inputs[0]),
            _with_input(matrix),
            graph[matrix.end :],
            _spans(model, graph, logits.encode()),
        )
    )
    return b"".join((model[: graphs[0].start], message(GRAPH, changed), model[graphs[0].end :]))


def _matrix(graph: memoryview, logits: bytes) -> _Node | None:
    """The multiplication that makes the logits."""
    nodes = [_node(field.start, field.end, field.body) for field in fields(graph) if field.number == NODE]
    makers = {name: node for node in nodes for name in node.outputs}
    node = makers.get(logits)
    while node is not None and node.op in BEHIND:
        node = next((makers[name] for name in node.inputs if name in makers), None)
    return node if node is not None and node.op in MATRICES and node.inputs else None


def _node(start: int, end: int, body: memoryview) -> _Node:
    op = b"".join(bodies(body, NODE_OP))
    inputs, outputs = (tuple(bytes(each) for each in bodies(body, field)) for field in (NODE_INPUT, NODE_OUTPUT))
    return _Node(start, end, body, op, inputs, outputs)


def _gather(state: bytes) -> bytes:
    """A node that takes the last position of `state` [rows, positions, width], and keeps the axis."""
    axis = message(ATTRIBUTE_NAME, b"axis") + number(ATTRIBUTE_INT, 1) + number(ATTRIBUTE_TYPE, INT)
    return _whole(NAME + b".index", [-1]) + _made(b"Gather", [state, NAME + b".index"], NAME, axis)


def _with_input(node: _Node) -> bytes:
    """The node with the last position as its first input."""
    first = next(field for field in fields(node.body) if field.number == NODE_INPUT)
    return message(NODE, b"".join((node.body[: first.start], message(NODE_INPUT, NAME), node.body[first.end :])))


def _spans(model: bytes, graph: memoryview, logits: bytes) -> bytes:
    """What tells the highest of each SPAN neighbours of `logits` [rows, 1, vocabulary]; nothing where that is no use."""
    width = max(
        (_width(body) for body in bodies(graph, OUTPUT) if b"".join(bodies(body, VALUE_NAME)) == logits), default=0
    )
    if width < WIDE or width % SPAN:
        return b""
    name, shape, axes = SPANS.encode(), SPANS.encode() + b".shape", SPANS.encode() + b".axes"
    bare = message(ATTRIBUTE_NAME, b"keepdims") + number(ATTRIBUTE_INT, 0) + number(ATTRIBUTE_TYPE, INT)
    along = message(ATTRIBUTE_NAME, b"axes") + number(ATTRIBUTE_INTS, 2) + number(ATTRIBUTE_TYPE, INTS)
    cut = _whole(shape, [0, -1, SPAN]) + _made(b"Reshape", [logits, shape], name + b".cut")
    if _opset(model) >= AXES_ARE_INPUT:
        most = _whole(axes, [2]) + _made(b"ReduceMax", [name + b".cut", axes], name, bare)
    else:
        most = _made(b"ReduceMax", [name + b".cut"], name, bare, along)
    kind = message(VALUE_TYPE, message(TENSOR_TYPE, number(ELEMENT, FLOAT)))
    return cut + most + message(OUTPUT, message(VALUE_NAME, name) + kind)


def _width(output: memoryview) -> int:
    """The size of the last dimension of an output of float32; 0 where it is not known."""
    for tensor in (tensor for kind in bodies(output, VALUE_TYPE) for tensor in bodies(kind, TENSOR_TYPE)):
        sizes = [sum(values(size, SIZE)) for shape in bodies(tensor, SHAPE) for size in bodies(shape, DIMENSION)]
        if list(values(tensor, ELEMENT)) == [FLOAT] and sizes:
            return sizes[-1]
    return 0


def _opset(model: bytes) -> int:
    """The version of ONNX's own operators."""
    own = (each for each in bodies(model, OPSET) if not b"".join(bodies(each, OPSET_DOMAIN)))
    return max((version for each in own for version in values(each, OPSET_VERSION)), default=0)


def _made(kind: bytes, inputs: list[bytes], output: bytes, *attributes: bytes) -> bytes:
    """A node, named after what it makes."""
    parts = [*((NODE_INPUT, name) for name in inputs), (NODE_OUTPUT, output), (NODE_NAME, output), (NODE_OP, kind)]
    return message(
        NODE, b"".join(message(*part) for part in [*parts, *((NODE_ATTRIBUTE, each) for each in attributes)])
    )


def _whole(name: bytes, content: list[int]) -> bytes:
    """A tensor of whole numbers along one axis."""
    raw = b"".join(each.to_bytes(8, "little", signed=True) for each in content)
    tensor = number(DIMS, len(content)) + number(DATA_TYPE, INT64) + message(TENSOR_NAME, name)
    return message(INITIALIZER, tensor + message(RAW_DATA, raw))
