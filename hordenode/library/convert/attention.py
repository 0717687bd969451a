"""Attention that an exporter wrote as matrices, as the runtime's one operator for it.

com.microsoft's MultiHeadAttention goes through the scores in blocks (Dao et al. 2022), so that they are never in memory
as a whole: at 512 px those of Stable Diffusion 1.5 take a gigabyte.
"""

from __future__ import annotations

import onnx
from onnx import helper

from hordenode.engine.image.unet import NEVER_WHOLE, SCORES
from hordenode.library.convert.wiring import Wiring, attribute, drop_unused, replace_node
from hordenode.library.convert.writer import MICROSOFT

SPLIT, TURNED = [0, 2, 1, 3], [0, 2, 3, 1]  # [batch, places, heads, size] to heads first; keys are transposed too


def fuse_attention(model: onnx.ModelProto) -> int:
    """Rewrite all attention of a model; returns how many. Scores must be scaled by the root of a head's size."""
    wiring, fused = Wiring(model.graph), 0
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        found = _match(wiring, softmax)
        if found is not None:
            last, node = found
            replace_node(model.graph, last, [node])
            fused += 1
    if fused:
        drop_unused(model.graph)
        if all(each.domain != MICROSOFT for each in model.opset_import):
            model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    if fused and all(node.op_type != "Softmax" for node in model.graph.node):
        model.metadata_props.add(key=SCORES, value=NEVER_WHOLE)
    return fused


def _match(wiring: Wiring, softmax: onnx.NodeProto) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
    """The last node of an attention, and the one that takes its place."""
    scores = wiring.maker(softmax.input[0], "MatMul")
    mixed = wiring.only_taker(softmax.output[0], "MatMul")
    turned = mixed and wiring.only_taker(mixed.output[0], "Transpose")
    joined = turned and wiring.only_taker(turned.output[0], "Reshape")
    if not (scores and mixed and turned and joined) or attribute(turned, "perm") != SPLIT:
        return None
    parts = [
        _source(wiring, scores.input[0], SPLIT),
        _source(wiring, scores.input[1], TURNED),
        _source(wiring, mixed.input[1], SPLIT),
    ]
    heads = {part[1] for part in parts if part}
    if not all(parts) or len(heads) != 1:
        return None
    node = helper.make_node(
        "MultiHeadAttention",
        [part[0] for part in parts if part],
        [joined.output[0]],
        name=f"{softmax.name.rpartition('/')[0] or joined.output[0]}/MultiHeadAttention",
        domain=MICROSOFT,
        num_heads=heads.pop(),
    )
    return joined, node


def _source(wiring: Wiring, name: str, order: list[int]) -> tuple[str, int] | None:
    """The [batch, places, width] that a value of heads was made of, and how many heads."""
    scaled = wiring.maker(name, "Mul")
    turned = wiring.maker(scaled.input[0] if scaled else name, "Transpose")
    if turned is None or attribute(turned, "perm") != order:
        return None
    split = wiring.maker(turned.input[0], "Reshape")
    heads = split and _heads(wiring, split.input[1])
    return (split.input[0], heads) if split and heads else None


def _heads(wiring: Wiring, shape: str) -> int | None:
    """The third number of a shape of four."""
    whole, parts = wiring.constant(shape), wiring.maker(shape, "Concat")
    if whole is not None and whole.size == 4:
        return int(whole[2])
    if parts is None or len(parts.input) != 4:
        return None
    value = wiring.constant(parts.input[2])
    return int(value.reshape(-1)[0]) if value is not None else None
