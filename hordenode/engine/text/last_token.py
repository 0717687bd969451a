"""Reading a prompt needs the logits of its last token alone, and a graph computes those of all: a fifth of the work.

So the last position is taken before the output matrix instead of behind it. And the graph tells the highest logits, with
all its threads and while they are at hand: who chooses a token then need not read all. It looks for the highest of each
few neighbours, and then among those where these are highest.
The graph is changed in memory, as it is loaded; the file stays as other programs know it.
"""

from __future__ import annotations

from pathlib import Path

from hordenode.engine.protobuf import bodies, fields, message, values
from hordenode.engine.text.graph_bytes import (
    DIMENSION,
    ELEMENT,
    FLOAT,
    INPUT,
    INT64,
    NODE,
    NODE_INPUT,
    OUTPUT,
    SHAPE,
    SIZE,
    TENSOR_TYPE,
    VALUE_NAME,
    VALUE_TYPE,
    Node,
    change,
    end,
    made,
    nodes,
    one,
    opset,
    several,
    text,
    whole,
)
from hordenode.engine.text.samplers import WIDE

AXES_ARE_INPUT, NEWEST_NEEDED = 18, 13  # opsets: from the first on; of what tells the highest logits

MATRICES = (b"MatMul", b"FusedMatMul", b"MatMulNBits")
BEHIND = (b"Cast", b"Mul", b"Div", b"Add", b"Tanh")  # what may come between: it takes each position by itself
LARGEST = 256 * 2**20  # a file with its weights inside that is larger is not read just for this
NAME = b"hordenode.last_token"
COUNT = "hordenode.highest.count"  # input [1] of a changed graph, 1 if it is not fed; at most known(vocabulary)
LOGITS, TOKENS = "hordenode.highest.logits", "hordenode.highest.tokens"  # its outputs [rows, count]
SPAN = 64  # neighbours
MOST = 256  # highest logits of a row that are told


def last_only(file: Path, logits: str, *, tell: bool = True) -> bytes | None:
    """The model in a file, made to compute the output `logits` for the last position alone; None where it cannot be.

    `tell`: whether it tells the highest of them.
    """
    try:
        if file.stat().st_size > LARGEST:
            return None
        return trimmed(file.read_bytes(), logits, tell=tell)
    except (OSError, IndexError, ValueError):
        return None  # the runtime will say what is wrong with it


def trimmed(model: bytes, logits: str, *, tell: bool = True) -> bytes | None:
    """As above, of a model's bytes. Raises IndexError and ValueError for what is no message."""

    def changed(graph: memoryview) -> bytes | None:
        matrix = _matrix(graph, logits.encode())
        if matrix is None:
            return None
        parts = (
            _gather(matrix.inputs[0]),
            _with_input(matrix),
            graph[matrix.end :],
            _highest(model, graph, logits.encode()) if tell else b"",
        )
        return b"".join((graph[: matrix.start], *parts))

    return change(model, changed)


def _matrix(graph: memoryview, logits: bytes) -> Node | None:
    """The multiplication that makes the logits."""
    makers = {name: node for node in nodes(graph) for name in node.outputs}
    node = makers.get(logits)
    while node is not None and node.op in BEHIND:
        node = next((makers[name] for name in node.inputs if name in makers), None)
    return node if node is not None and node.op in MATRICES and node.inputs else None


def _gather(state: bytes) -> bytes:
    """A node that takes the last position of `state` [rows, positions, width], and keeps the axis."""
    return whole(NAME + b".index", [-1]) + made(b"Gather", [state, NAME + b".index"], NAME, one(b"axis", 1))


def _with_input(node: Node) -> bytes:
    """The node with the last position as its first input."""
    first = next(field for field in fields(node.body) if field.number == NODE_INPUT)
    return message(NODE, b"".join((node.body[: first.start], message(NODE_INPUT, NAME), node.body[first.end :])))


def known(width: int) -> int:
    """How many of the highest logits of a vocabulary of this size can be told."""
    return 0 if width < WIDE or width % SPAN else min(MOST, width // SPAN)


def _highest(model: bytes, graph: memoryview, logits: bytes) -> bytes:
    """What tells the highest of `logits` [rows, 1, vocabulary], and their tokens; nothing where that is no use."""
    width = max((_width(body) for body in bodies(graph, OUTPUT) if text(body, VALUE_NAME) == logits), default=0)
    version = opset(model)
    if not known(width) or version < NEWEST_NEEDED:
        return b""
    numbers = {
        "spans": [0, -1, SPAN],
        "axis": [2],
        "column": [0, -1, 1],
        "flat": [0, -1],
        "span": [SPAN],
    }
    name = {each: b"hordenode.%b" % each.encode() for each in numbers}
    count = COUNT.encode()

    def own(each: str) -> bytes:
        return b"hordenode.highest.%b" % each.encode()

    axes = ([name["axis"]], ()) if version >= AXES_ARE_INPUT else ([], (several(b"axes", 2),))
    nodes_made = [
        made(b"Reshape", [logits, name["spans"]], own("cut")),
        made(b"ReduceMax", [own("cut"), *axes[0]], own("tops"), one(b"keepdims", 0), *axes[1]),
        _top([own("tops"), count], own("top"), own("place")),
        made(b"Reshape", [own("place"), name["column"]], own("places")),
        made(b"GatherND", [own("cut"), own("places")], own("spans"), one(b"batch_dims", 1)),
        made(b"Reshape", [own("spans"), name["flat"]], own("line")),
        _top([own("line"), count], LOGITS.encode(), own("at")),
        made(b"Div", [own("at"), name["span"]], own("which")),
        made(b"Mod", [own("at"), name["span"]], own("within")),
        made(b"GatherElements", [own("place"), own("which")], own("span"), one(b"axis", 1)),
        made(b"Mul", [own("span"), name["span"]], own("first")),
        made(b"Add", [own("first"), own("within")], TOKENS.encode()),
    ]
    ends = [end(INPUT, COUNT, INT64), end(OUTPUT, LOGITS, FLOAT), end(OUTPUT, TOKENS, INT64)]
    stored = [whole(count, [1]), *(whole(name[each], content) for each, content in numbers.items())]
    return b"".join((*stored, *nodes_made, *ends))


def _top(inputs: list[bytes], values: bytes, places: bytes) -> bytes:
    """The highest of each row, falling, of equals the left one first."""
    return made(b"TopK", inputs, values, one(b"axis", 1), more=places)


def _width(output: memoryview) -> int:
    """The size of the last dimension of an output of float32; 0 where it is not known."""
    for tensor in (tensor for kind in bodies(output, VALUE_TYPE) for tensor in bodies(kind, TENSOR_TYPE)):
        sizes = [sum(values(size, SIZE)) for shape in bodies(tensor, SHAPE) for size in bodies(shape, DIMENSION)]
        if list(values(tensor, ELEMENT)) == [FLOAT] and sizes:
            return sizes[-1]
    return 0
