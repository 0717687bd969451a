"""3 × 3 filters by fewer products: on tiles of the picture that were transformed (Winograd 1980; Lavin & Gray 2016).

For tiles of 2 × 2 results a filter takes 16 products for 36, for 4 × 4 it takes 36 for 144. The filters are transformed
when a session loads, so that the graph still shows each module's own weight, which a LoRA changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hordenode.library.convert.graph_names import CHANGED, NOBODYS
from hordenode.library.convert.wiring import Wiring, attribute, is_plain_filter, replace_node

LEAST = 64  # channels on both sides: with fewer, transforming takes longer than what it saves
# Numbers in a filter up to which it is made ready for tiles of 4, which makes it four times as large; else 1.8 times.
SMALL = 3_000_000

Matrix = NDArray[np.float32]


def _matrix(*rows: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(rows, np.float64)


# By side of a tile of results: what transforms a tile of the picture, the filter, and back (Lavin & Gray, section 4).
PICTURE = {
    2: _matrix((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    4: _matrix(
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
}
FILTER = {
    2: _matrix((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    4: _matrix(
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
}
RESULT = {
    2: _matrix((1, 1, 1, 0), (0, 1, -1, -1)),
    4: _matrix((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
}


def fuse_filters(model: onnx.ModelProto, start: str = "sample", least: int = LEAST) -> int:
    """Rewrite the filters of a UNet that takes its latent as `start`; returns how many numbers they grow by.

    A UNet takes latents that it can halve as often as it does: where it will do so once more, their sides are even. A
    graph that was rewritten before stays as it is.
    """
    wiring, more = Wiring(model.graph), 0
    if any(node.name.endswith(f"/{CHANGED}") for node in model.graph.node):
        return 0
    halvings = _halvings(wiring, start)
    deepest = max(halvings.values(), default=0)
    for conv in [node for node in model.graph.node if node.op_type == "Conv"]:
        further = deepest - halvings.get(conv.input[0], deepest)
        if further < 1 or not is_plain_filter(wiring, conv):
            continue
        weight = wiring.weights[conv.input[1]]
        if weight.data_type != onnx.TensorProto.FLOAT or min(weight.dims[:2]) < least:
            continue
        count = int(np.prod(weight.dims))
        tile = 4 if further > 1 and count <= SMALL else 2
        _rewrite(model.graph, conv, tile, int(weight.dims[0]), int(weight.dims[1]))
        more += count * ((tile + 2) ** 2 - 9) // 9
    return more


def _halvings(wiring: Wiring, start: str) -> dict[str, int]:
    """How often each value's sides were halved since `start`, for those that come of it."""
    known = {start: 0}
    for node in wiring.graph.node:
        level = next((known[name] for name in node.input if name in known), None)
        if level is None or node.op_type == "Shape":
            continue
        if node.op_type == "Conv" and attribute(node, "strides", [1, 1]) == [2, 2]:
            level += 1
        elif node.op_type in ("Resize", "DepthToSpace"):
            level -= 1
        known.update(dict.fromkeys(node.output, level))
    return known


def _rewrite(graph: onnx.GraphProto, conv: onnx.NodeProto, tile: int, outputs: int, inputs: int) -> None:
    """Put a transformed filter in the place of a plain one. All constants of one kind are shared."""
    numbers = {"none": 0, "one": 1, "two": 2, "four": 4, "rest": -1}
    numbers |= {f"count{each}": each for each in {outputs, inputs, (tile + 2) ** 2}} | {f"tile{tile}": tile}
    values: dict[str, NDArray[Any]] = {name: np.array([value], np.int64) for name, value in numbers.items()}
    values |= {"rows": np.array([-1, 9], np.int64), **_transforms(tile)}
    stored = {each.name for each in graph.initializer}
    graph.initializer.extend(
        numpy_helper.from_array(value, f"{name}{NOBODYS}")
        for name, value in values.items()
        if f"{name}{NOBODYS}" not in stored
    )
    replace_node(graph, conv, _nodes(conv, tile, outputs, inputs))


def _transforms(tile: int) -> Mapping[str, Matrix]:
    """Of both axes at once: of the picture as a filter, of the filter as a matrix, and of the results as a filter."""
    points, picture, given, back = (tile + 2) ** 2, PICTURE[tile], FILTER[tile], RESULT[tile]
    return {
        f"picture{tile}": np.kron(picture, picture).reshape(points, 1, tile + 2, tile + 2).astype(np.float32),
        f"filter{tile}": np.kron(given, given).astype(np.float32),
        f"result{tile}": np.kron(back, back).T.reshape(points, 1, tile, tile).astype(np.float32),
    }


def _nodes(conv: onnx.NodeProto, tile: int, outputs: int, inputs: int) -> Iterator[onnx.NodeProto]:
    """Shapes in the comments: n pictures of c channels to k; p points of a tile, t tiles of a picture."""
    result, points = conv.output[0], (tile + 2) ** 2
    stem = conv.name.rpartition("/")[0] or conv.name or result
    counts = [f"count{each}" for each in (points, outputs, inputs)]
    p, k, c = counts

    def node(kind: str, given: list[str], made: str, name: str = "", **attributes: int | list[int]) -> onnx.NodeProto:
        """`given`: names of shared constants stand for them, other values are of this filter."""
        made = result if made == "result" else f"{result}{NOBODYS}.{made}"
        return helper.make_node(kind, given, [made], name=f"{stem}/{name or made}", **attributes)

    def own(name: str) -> str:
        return f"{result}{NOBODYS}.{name}"

    def shared(*names: str) -> list[str]:
        return [f"{name}{NOBODYS}" for name in names]

    def reshaped(value: str, sizes: list[str], made: str) -> Iterator[onnx.NodeProto]:
        yield node("Concat", sizes, f"{made}.shape", axis=0)
        yield node("Reshape", [value, own(f"{made}.shape")], made)

    yield node("Reshape", [conv.input[1], *shared("rows")], "plain", CHANGED)  # [k·c, 9]
    yield node("Gemm", [*shared(f"filter{tile}"), own("plain")], "turned", transB=1)  # [p, k·c]
    yield from reshaped(own("turned"), shared(p, k, c), "filter")

    yield node("Shape", [conv.input[0]], "sizes")
    yield node("Slice", [own("sizes"), *shared("none", "one")], "n")
    yield node("Slice", [own("sizes"), *shared("two", "four")], "sides")
    yield node("Div", [own("sides"), *shared(f"tile{tile}")], "tiles")
    yield node("Slice", [own("tiles"), *shared("one", "two")], "across")

    yield from reshaped(conv.input[0], [*shared("rest", "one"), own("sides")], "planes")  # [n·c, 1, …]
    around, beside = [1] * 4, [tile] * 2
    yield node("Conv", [own("planes"), *shared(f"picture{tile}")], "points", strides=beside, pads=around)
    yield from reshaped(own("points"), [own("n"), *shared(c, p, "rest")], "each")  # [n, c, p, t]
    yield node("Transpose", [own("each")], "sorted", perm=[2, 1, 0, 3])
    yield from reshaped(own("sorted"), shared(p, c, "rest"), "columns")  # [p, c, n·t]
    yield node("MatMul", [own("filter"), own("columns")], "products")  # [p, k, n·t]

    yield from reshaped(own("products"), [*shared("one", p, "rest"), own("across")], "wide")  # a column of tiles
    yield node("ConvTranspose", [own("wide"), *shared(f"result{tile}")], "column", strides=beside)
    yield from reshaped(own("column"), [*shared(k), own("n"), own("sides")], "turns")  # [k, n, …]
    bias = conv.input[2] if len(conv.input) > 2 else ""
    yield node("Transpose", [own("turns")], "bare" if bias else "result", perm=[1, 0, 2, 3])
    if bias:
        yield from reshaped(bias, shared(k, "one", "one"), "bias")
        yield node("Add", [own("bare"), own("bias")], "result")
