"""Doubling a picture and then filtering it, as four filters on the small one: the same sums with 16 products for 36.

A 3 × 3 filter on a picture whose places were doubled sees each small place up to four times, so per phase (odd or even
row, odd or even column) it is a 2 × 2 filter whose weights are sums of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from hordenode.library.convert.stored import stored_value
from hordenode.library.convert.wiring import Wiring, attribute, drop_unused, is_plain_filter, replace_node

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
MARK = ".phase"

Weight = NDArray[Any]


def fuse_upsampling(model: onnx.ModelProto, folder: Path) -> dict[str, Weight]:
    """Rewrite all doublings of a model whose weights lie in `folder`; returns the new weights, not yet in the graph."""
    wiring, made = Wiring(model.graph), dict[str, Weight]()
    for resize in [node for node in model.graph.node if node.op_type == "Resize"]:
        filtered = wiring.only_taker(resize.output[0], "Conv")
        if filtered is None or not _doubles(wiring, resize) or not is_plain_filter(wiring, filtered):
            continue
        whole = stored_value(wiring.weights[filtered.input[1]], folder)
        names = [f"{filtered.input[1]}{MARK}{down}{right}" for down, right in PHASES]
        made.update(zip(names, phases(whole), strict=True))
        replace_node(model.graph, filtered, _nodes(resize.input[0], filtered, names))
    if made:
        drop_unused(model.graph)
    return made


def phases(weight: Weight) -> Iterator[Weight]:
    """[out, in, 3, 3] as one [out, in, 2, 2] per phase."""
    for down, right in PHASES:
        made = np.zeros((*weight.shape[:2], 2, 2), np.float32)
        for row in range(3):
            for column in range(3):
                # The place on the small picture that this weight looks at, counted from the first one of the filter.
                at = (down + row - 1) // 2 + 1 - down, (right + column - 1) // 2 + 1 - right
                made[:, :, at[0], at[1]] += weight[:, :, row, column]
        yield made.astype(weight.dtype)


def _doubles(wiring: Wiring, resize: onnx.NodeProto) -> bool:
    """Whether each place becomes 2 × 2 alike ones."""
    scales = wiring.constant(resize.input[2]) if len(resize.input) == 3 else None
    kept = (
        attribute(resize, "mode"),
        attribute(resize, "coordinate_transformation_mode"),
        attribute(resize, "nearest_mode"),
    )
    return kept == (b"nearest", b"asymmetric", b"floor") and scales is not None and scales.tolist() == [1, 1, 2, 2]


def _nodes(small: str, conv: onnx.NodeProto, weights: list[str]) -> list[onnx.NodeProto]:
    result = conv.output[0]
    stem = conv.name.rpartition("/")[0] or result
    made = [
        helper.make_node(
            "Conv",
            [small, weight, *conv.input[2:]],
            [f"{result}{MARK}{down}{right}"],
            name=f"{stem}/Phase{down}{right}",
            pads=[1 - down, 1 - right, down, right],
        )
        for (down, right), weight in zip(PHASES, weights, strict=True)
    ]
    together = helper.make_node(
        "Concat", [node.output[0] for node in made], [f"{result}{MARK}s"], name=f"{stem}/Phases", axis=1
    )
    woven = helper.make_node("DepthToSpace", together.output, [result], name=f"{stem}/Weave", blocksize=2, mode="DCR")
    return [*made, together, woven]
