"""The few graphs that keep a latent on the device: what is done to it before, between and after looks of a UNet.

They are written here byte by byte (onnx.proto's field numbers), as the package that does so is no part of a lean node.
Numbers that change from step to step come in as one small input, `weights`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hordenode.engine.image.graph import ELEMENTS
from hordenode.engine.protobuf import message, varint

IR_VERSION, OPSET = 8, 17
NODE, NAME, INPUT, OUTPUT = 1, 2, 11, 12  # of GraphProto
INTEGER = 2  # of AttributeProto.AttributeType
FLOAT, LATENT = "float32", 4  # type and rank of latents


def weighted_sum(count: int) -> bytes:
    """`made` = Σ weights[i] · x{i}, for latents x0, x1, … of one shape."""
    latents = [f"x{index}" for index in range(count)]
    return _model([*_split("weights", count), *_sum(latents)], [(each, FLOAT) for each in latents])


def blended() -> bytes:
    """`made` = x1 + x2 · (x0 − x1): x0 where the mask x2 is 1, x1 where it is 0."""
    nodes = [
        _node("Sub", ["x0", "x1"], ["apart"]),
        _node("Mul", ["x2", "apart"], ["masked"]),
        _node("Add", ["x1", "masked"], ["made"]),
    ]
    return _model(nodes, [("x0", FLOAT), ("x1", FLOAT), ("x2", FLOAT)], weights=False)


def prepared(copies: int, beside: bool, dtype: str) -> bytes:
    """`made`: what a UNet takes: weights[0] · x0, with further channels x1 `beside` it, so many times, as `dtype`."""
    nodes, inputs = [_node("Mul", ["x0", "weights"], ["scaled"])], [("x0", FLOAT)]
    whole = "scaled"
    if beside:
        nodes.append(_node("Concat", [whole, "x1"], ["whole"], axis=1))
        inputs, whole = [*inputs, ("x1", FLOAT)], "whole"
    nodes.append(_node("Concat", [whole] * copies, ["copies"], axis=0))
    nodes.append(_node("Cast", ["copies"], ["made"], to=ELEMENTS[dtype]))
    return _model(nodes, inputs, made=dtype)


def guided(sides: Sequence[int], dtype: str) -> bytes:
    """`made` = weights[0] · x0 + Σ weights[i + 1] · the i-th side of predictions x1, x2, … with so many `sides` of `dtype`."""
    nodes, inputs = list(_split("weights", 1 + sum(sides))), [("x0", FLOAT)]
    predictions: list[str] = []
    for index, count in enumerate(sides, 1):
        names = [f"side{len(predictions) + each}" for each in range(count)]
        inputs.append((f"x{index}", dtype))
        nodes.append(_node("Cast", [f"x{index}"], [f"wide{index}"], to=ELEMENTS[FLOAT]))
        nodes.append(_node("Split", [f"wide{index}"], names, axis=0))
        predictions += names
    return _model([*nodes, *_sum(["x0", *predictions])], inputs)


def _split(name: str, count: int) -> Iterable[bytes]:
    yield _node("Split", [name], [f"w{index}" for index in range(count)], axis=0)


def _sum(values: Sequence[str]) -> Iterable[bytes]:
    for index, value in enumerate(values):
        yield _node("Mul", [value, f"w{index}"], [f"part{index}"])
    yield _node("Sum", [f"part{index}" for index in range(len(values))], ["made"])


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int) -> bytes:
    body = b"".join(message(1, each.encode()) for each in inputs)
    body += b"".join(message(2, each.encode()) for each in outputs) + message(4, kind.encode())
    for name, value in attributes.items():
        number = b"\x18" + varint(value) + b"\xa0\x01" + varint(INTEGER)  # i, type
        body += message(5, message(1, name.encode()) + number)
    return body


def _model(
    nodes: Iterable[bytes], inputs: Sequence[tuple[str, str]], *, made: str = FLOAT, weights: bool = True
) -> bytes:
    graph = b"".join(message(NODE, node) for node in nodes) + message(NAME, b"latents")
    graph += b"".join(message(INPUT, _value(name, dtype, LATENT)) for name, dtype in inputs)
    graph += message(INPUT, _value("weights", FLOAT, 1)) if weights else b""
    graph += message(OUTPUT, _value("made", made, LATENT))
    versions = b"\x08" + varint(IR_VERSION) + message(8, message(1, b"") + b"\x10" + varint(OPSET))
    return versions + message(7, graph)


def _value(name: str, dtype: str, rank: int) -> bytes:
    """ValueInfoProto of a tensor of any sizes."""
    shape = b"".join(message(1, message(2, f"{name}.{axis}".encode())) for axis in range(rank))
    return message(1, name.encode()) + message(2, message(1, b"\x08" + varint(ELEMENTS[dtype]) + message(2, shape)))
