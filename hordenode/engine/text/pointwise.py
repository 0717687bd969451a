"""Stored matrices as pointwise convolutions: ONNX Runtime computes those of several texts faster on x86 processors.

Its matrix product takes the time of reading the weights and the time of multiplying one after the other; its convolution
on channels laid out in blocks has both at once. With the benchmark's model a step of eight texts takes a tenth less, one
of one text as long, a chunk of a prompt up to a fifth less (measured on two cores).

A multiplication of a matrix [out, in] becomes a convolution of one row of pixels, a pixel for a token. Between the maps
of a feed-forward part with a gate nothing is laid out anew. The graph is changed in memory, as it is loaded, and its
weights stay where they are: a filter is the matrix with two more dimensions of size one.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hordenode.engine.jobs import ProviderReport
from hordenode.engine.protobuf import bodies
from hordenode.engine.text.config import PRODUCER
from hordenode.engine.text.graph_bytes import Matrix, Node, change, made, matrices, nodes, one, several, sized, whole
from hordenode.engine.text.last_token import NAME as LAST

X86 = ("x86_64", "amd64")
BLOCK = 16  # channels that are laid out together, or half as many
SET = 64  # channels of an output that one thread computes together
LEAST = 400_000  # numbers in a matrix from which laying out its input and output takes less than it saves
IDLE = 0.15  # how much of the threads' time may pass waiting for the one that has a set more
ROOM = 2.5  # how often the weights must fit into free memory: while they are laid out, they are there twice
MADE_BY = 2  # field of ModelProto
MARK = b"hordenode.pointwise"
TOKENS_FIRST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def pays(report: ProviderReport, size_mb: int, free_mb: int | None) -> bool:
    """Whether it was found to be faster where sessions run, and weights of this size may be there twice while they load.

    `free_mb`: free memory, where it is known.
    """
    has_room = free_mb is None or free_mb >= ROOM * size_mb
    return report.provider == "cpu" and platform.machine().lower() in X86 and has_room


def convolved(model: bytes, ids: str, threads: int) -> bytes | None:
    """The model with convolutions; None where there is nothing to change. `ids`: its input of tokens."""
    try:
        if b"".join(bodies(model, MADE_BY)) != PRODUCER.encode():
            return None  # states of other shapes, perhaps
        return change(model, lambda graph: _Rewriting(graph, ids.encode(), threads).result())
    except (IndexError, ValueError):
        return None  # the runtime will say what is wrong with it


@dataclass(frozen=True, slots=True)
class _Gated:
    """A feed-forward part: `wide` makes gate and up, `down` takes their product; `between`: the nodes that make it."""

    wide: Node
    down: Node
    between: tuple[Node, ...]


@dataclass(slots=True)
class _Rewriting:
    """The nodes and tensors of a graph, and which of them give way to what."""

    graph: memoryview
    ids: bytes
    threads: int
    _nodes: list[Node] = field(init=False)
    _matrices: dict[bytes, Matrix] = field(init=False)
    _takers: dict[bytes, list[Node]] = field(init=False, default_factory=dict)
    _shared: dict[bytes, bytes] = field(init=False, default_factory=dict)  # shapes by name

    def __post_init__(self) -> None:
        self._nodes, self._matrices = nodes(self.graph), matrices(self.graph)
        for node in self._nodes:
            for name in node.inputs:
                self._takers.setdefault(name, []).append(node)

    def result(self) -> bytes | None:
        """The new graph."""
        products = [node for node in self._nodes if self._is_product(node)]
        if not products:
            return None
        gated = [part for node in products if (part := self._gated(node)) is not None]
        instead: dict[int, bytes] = {}  # by where a node starts
        for part in gated:
            instead |= {node.start: b"" for node in (*part.between, part.down)}
            instead[part.wide.start] = b"".join(self._feed_forward(part))
        for node in products:
            if node.start not in instead:
                instead[node.start] = b"".join(self._single(node))
        return self._joined(instead, Counter(node.inputs[1] for node in products))

    def _joined(self, instead: dict[int, bytes], taken: Counter[bytes]) -> bytes:
        """`taken`: how often a matrix was used in what gave way."""
        for name, count in taken.items():
            if len(self._takers[name]) == count:
                instead[self._matrices[name].start] = b""
        ends = {node.start: node.end for node in self._nodes}
        ends |= {matrix.start: matrix.end for matrix in self._matrices.values()}
        rows = made(b"Shape", [self.ids], MARK + b".rows")
        parts: list[bytes | memoryview] = [rows, *self._shared.values()]
        at = 0
        for start in sorted(instead):
            parts += [self.graph[at:start], instead[start]]
            at = ends[start]
        return b"".join((*parts, self.graph[at:]))

    def _is_product(self, node: Node) -> bool:
        """Whether a node multiplies by a stored matrix that is worth it."""
        if node.op != b"FusedMatMul" or node.numbers() != {b"transB": [1]}:
            return False
        matrix = self._matrices.get(node.inputs[1])
        return matrix is not None and matrix.rows * matrix.columns >= LEAST and self._fits(matrix.rows, matrix.columns)

    def _fits(self, outputs: int, inputs: int) -> bool:
        sets = -(-outputs // SET)
        rounds = -(-sets // self.threads)
        return outputs % BLOCK == inputs % BLOCK == 0 and rounds * self.threads <= (1 + IDLE) * sets

    def _gated(self, wide: Node) -> _Gated | None:
        """silu(gate) · up between two products, if it is this and nobody else looks at what is between."""
        split = self._only_taker(wide.outputs[0], b"Split")
        if split is None or len(split.outputs) != 2 or split.numbers() != {b"axis": [-1 % 2**64], b"num_outputs": [2]}:
            return None
        gate, up = split.outputs
        sigmoid = next((node for node in self._takers.get(gate, []) if node.op == b"Sigmoid"), None)
        if sigmoid is None or len(self._takers[gate]) != 2:
            return None
        curve = self._only_taker(sigmoid.outputs[0], b"Mul")
        product = None if curve is None else self._only_taker(curve.outputs[0], b"Mul")
        down = None if product is None else self._only_taker(product.outputs[0], b"FusedMatMul")
        if curve is None or product is None or down is None or not self._is_product(down):
            return None
        named = (set(curve.inputs), set(product.inputs)) == ({gate, *sigmoid.outputs}, {up, *curve.outputs})
        is_whole = named and len(self._takers[up]) == 1 and down.inputs[0] == product.outputs[0]
        half = self._matrices[wide.inputs[1]].rows // 2
        fits = self._fits(half, self._matrices[wide.inputs[1]].columns)
        return _Gated(wide, down, (split, sigmoid, curve, product)) if is_whole and fits else None

    def _only_taker(self, name: bytes, op: bytes) -> Node | None:
        takers = self._takers.get(name, [])
        return takers[0] if len(takers) == 1 and takers[0].op == op else None

    def _single(self, node: Node) -> Iterator[bytes]:
        state, name, matrix = node.inputs[0], node.outputs[0], self._matrices[node.inputs[1]]
        yield from self._pixels(state, matrix.columns, name)
        yield from _convolution(name, name, matrix, 0, matrix.rows)
        yield from self._tokens(name, matrix.rows, name, is_last=state == LAST)

    def _feed_forward(self, part: _Gated) -> Iterator[bytes]:
        matrix, last, name = (
            self._matrices[part.wide.inputs[1]],
            self._matrices[part.down.inputs[1]],
            part.wide.outputs[0],
        )
        half = matrix.rows // 2
        gate, up, down = (name + end for end in (b".gate", b".up", b".down"))
        yield from self._pixels(part.wide.inputs[0], matrix.columns, name)
        for each, first in ((gate, 0), (up, half)):
            yield from _convolution(name, each, matrix, first, half)
            # The runtime keeps the layout between values whose shapes it knows to be the same.
            yield sized(each + b".conv", 1, half, 1, MARK + b".tokens")
        yield made(b"Sigmoid", [gate + b".conv"], gate + b".sigmoid")
        # Not gate · sigmoid first: the runtime would make that one operator, which knows no blocks.
        yield made(b"Mul", [gate + b".conv", up + b".conv"], name + b".both")
        yield made(b"Mul", [name + b".both", gate + b".sigmoid"], down + b".pixels")
        yield from _convolution(down, down, last, 0, last.rows)
        yield from self._tokens(down, last.rows, part.down.outputs[0])

    def _pixels(self, state: bytes, width: int, name: bytes) -> Iterator[bytes]:
        """[rows, positions, width] to [1, width, 1, tokens]."""
        shape = self._share(b".pixels%d" % width, [1, 1, -1, width])
        yield made(b"Reshape", [state, shape], name + b".line")
        yield made(b"Transpose", [name + b".line"], name + b".pixels", several(b"perm", *CHANNELS_FIRST))

    def _tokens(self, conv: bytes, width: int, name: bytes, *, is_last: bool = False) -> Iterator[bytes]:
        """And back; `is_last`: of each row the last position alone was looked at."""
        if is_last:
            shape = self._share(b".last%d" % width, [-1, 1, width])
        else:
            size, shape = self._share(b".size%d" % width, [width]), MARK + b".back%d" % width
            self._shared[shape] = made(b"Concat", [MARK + b".rows", size], shape, one(b"axis", 0))
        yield made(b"Transpose", [conv + b".conv"], conv + b".channels", several(b"perm", *TOKENS_FIRST))
        yield made(b"Reshape", [conv + b".channels", shape], name)

    def _share(self, name: bytes, sizes: list[int]) -> bytes:
        """Store a shape, once."""
        self._shared[MARK + name] = whole(MARK + name, sizes)
        return MARK + name


def _convolution(pixels: bytes, name: bytes, matrix: Matrix, first: int, count: int) -> Iterator[bytes]:
    """By `count` rows of a matrix."""
    yield matrix.filters(name + b".filters", first, count)
    yield made(b"Conv", [pixels + b".pixels", name + b".filters"], name + b".conv", several(b"kernel_shape", 1, 1))
