"""Reading the hidden layers of a text encoder whose export kept only the last one.

An ONNX file is a protobuf message, and two messages written one after the other merge: appending a model that has
nothing but graph outputs makes inner values visible, without changing or parsing the rest (protobuf encoding guide,
"last one wins" and merging of embedded messages).
"""

from __future__ import annotations

from pathlib import Path

from hordenode.engine.files import RESTORE
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.protobuf import bodies, message, varint

# Field numbers of onnx.proto.
GRAPH, NODE, OUTPUT = 7, 1, 12
NODE_INPUT, NODE_OUTPUT, NODE_OP = 1, 2, 4
NORMS = (b"LayerNormalization", b"ReduceMean", b"SimplifiedLayerNormalization")
ELEMENTS = {"float32": 1, "float16": 10}  # TensorProto.DataType


def hidden_layers(file: Path, model: bytes) -> list[str]:
    """Names of the hidden states from the embeddings to the last layer. Raises ModelFileError.

    In a transformer that normalises first, the states are the sums that a normalisation reads: one before each
    attention and one before each MLP, and the last one before the final normalisation.
    """
    try:
        nodes = [_node(body) for graph in bodies(model, GRAPH) for body in bodies(graph, NODE)]
    except (IndexError, ValueError) as error:
        raise ModelFileError(file, "is damaged", RESTORE) from error
    sums = {out for op, _, outputs in nodes if op == b"Add" for out in outputs}
    read = [inputs[0].decode() for op, inputs, _ in nodes if op in NORMS and inputs and inputs[0] in sums]
    return read[0::2]


def with_outputs(model: bytes, names: list[str], dtype: str) -> bytes:
    """The model with these inner values as further outputs."""
    tensor = message(1, b"\x08" + varint(ELEMENTS[dtype]))
    graph = b"".join(message(OUTPUT, message(1, name.encode()) + message(2, tensor)) for name in names)
    return model + message(GRAPH, graph)


def _node(body: memoryview) -> tuple[bytes, list[bytes], list[bytes]]:
    """(operator, inputs, outputs)."""
    op = b"".join(bytes(each) for each in bodies(body, NODE_OP))
    return op, [bytes(e) for e in bodies(body, NODE_INPUT)], [bytes(e) for e in bodies(body, NODE_OUTPUT)]
