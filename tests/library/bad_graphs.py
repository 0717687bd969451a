"""Text models in the right layout whose graphs do harm, or are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.library.tiny import write_tokenizer

VOCABULARY = 96


def write_model(folder: Path, nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto]) -> Path:
    """A folder whose graph makes `logits` by these nodes from `input_ids` and a constant `zero`."""
    folder.mkdir(parents=True)
    write_tokenizer(folder, VOCABULARY)
    rows: list[str | int | None] = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, rows) for name in ("input_ids", "attention_mask")]
    cache: list[str | int | None] = ["batch", 1, "past", 8]
    inputs += [
        helper.make_tensor_value_info(f"past_key_values.0.{kind}", TensorProto.FLOAT, cache)
        for kind in ("key", "value")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*rows, VOCABULARY])]
    outputs += [
        helper.make_tensor_value_info(f"present.0.{kind}", TensorProto.FLOAT, cache) for kind in ("key", "value")
    ]
    keep = [
        helper.make_node("Identity", [f"past_key_values.0.{kind}"], [f"present.0.{kind}"]) for kind in ("key", "value")
    ]
    graph = helper.make_graph([*nodes, *keep], "bad", inputs, outputs, initializers)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )
    decoder = {"filename": "model.onnx", "head_size": 8, "num_hidden_layers": 1, "num_key_value_heads": 1}
    config = {"model": {"context_length": 64, "decoder": decoder}, "search": {"past_present_share_buffer": True}}
    (folder / "genai_config.json").write_text(json.dumps(config))
    return folder


def endless(folder: Path) -> Path:
    """A loop that goes round until the end of time."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still_on"]),
            helper.make_node("Identity", ["x"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Loop", ["times", "yes", "rows"], ["logits"], body=body),
    ]
    return write_model(
        folder, nodes, [_table(0.0), _constant("times", np.array(2**62)), _constant("yes", np.array(True))]
    )


def greedy(folder: Path, gigabytes: int) -> Path:
    """A tensor that takes all memory."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["all"]),
        helper.make_node("ReduceSum", ["all"], ["sum"], keepdims=0),
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Add", ["rows", "sum"], ["logits"]),
    ]
    return write_model(folder, nodes, [_table(0.0), _constant("size", np.array([gigabytes * 2**28]))])


def without_numbers(folder: Path) -> Path:
    """Weights of NaN."""
    return write_model(folder, [helper.make_node("Gather", ["table", "input_ids"], ["logits"])], [_table(np.nan)])


def _table(value: float) -> onnx.TensorProto:
    return _constant("table", np.full((VOCABULARY, VOCABULARY), value, np.float32))


def _constant(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def narrow(folder: Path) -> Path:
    """Reads more tokens than it can answer with."""
    table = _constant("table", np.zeros((4096, VOCABULARY), np.float32))
    return write_model(folder, [helper.make_node("Gather", ["table", "input_ids"], ["logits"])], [table])


def crashing(folder: Path, depth: int = 20_000) -> Path:
    """Functions that call one another until the stack of whoever unfolds them is full."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("deep", 1)]

    def function(level: int) -> onnx.FunctionProto:
        call = helper.make_node(f"F{level + 1}", ["a"], ["b"], domain="deep")
        node = call if level < depth else helper.make_node("Neg", ["a"], ["b"])
        return helper.make_function("deep", f"F{level}", ["a"], ["b"], [node], opsets)

    write_model(folder, [helper.make_node("Gather", ["table", "input_ids"], ["logits"])], [_table(0.0)])
    model = onnx.load(folder / "model.onnx")
    model.graph.node[0].output[0] = "rows"
    model.graph.node.append(helper.make_node("F0", ["rows"], ["logits"], domain="deep"))
    model.opset_import.append(opsets[1])
    model.functions.extend(function(level) for level in range(depth + 1))
    onnx.save(model, folder / "model.onnx")
    return folder
