"""Reading a prompt needs the logits of its last token alone, and a graph computes those of all: a fifth of the work.

So the last position is taken before the output matrix instead of behind it. The graph is changed in memory, as it is
loaded; the file stays as other programs know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hordenode.engine.protobuf import bodies, fields, message, number

# Field numbers of onnx.proto.
GRAPH, NODE, INITIALIZER = 7, 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_TYPE, INT = 1, 3, 20, 2
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA, INT64 = 1, 2, 8, 9, 7

MATRICES = (b"MatMul", b"FusedMatMul", b"MatMulNBits")
BEHIND = (b"Cast", b"Mul", b"Div", b"Add", b"Tanh")  # what may come between: it takes each position by itself
LARGEST = 256 * 2**20  # a file with its weights inside that is larger is not read just for this
NAME = b"hordenode.last_token"


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
        (graph[: matrix.start], _gather(matrix.inputs[0]), _with_input(matrix), graph[matrix.end :], _minus_one())
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
    parts = [(NODE_INPUT, state), (NODE_INPUT, NAME + b".index"), (NODE_OUTPUT, NAME)]
    parts += [(NODE_NAME, NAME), (NODE_OP, b"Gather"), (NODE_ATTRIBUTE, axis)]
    return message(NODE, b"".join(message(*part) for part in parts))


def _with_input(node: _Node) -> bytes:
    """The node with the last position as its first input."""
    first = next(field for field in fields(node.body) if field.number == NODE_INPUT)
    return message(NODE, b"".join((node.body[: first.start], message(NODE_INPUT, NAME), node.body[first.end :])))


def _minus_one() -> bytes:
    """The index of the last position: a tensor [1]."""
    value = number(DIMS, 1) + number(DATA_TYPE, INT64) + message(TENSOR_NAME, NAME + b".index")
    return message(INITIALIZER, value + message(RAW_DATA, b"\xff" * 8))
