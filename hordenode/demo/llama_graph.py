"""Writes a Llama model as the ONNX graph that ONNX Runtime GenAI's builder would write.

Attention is com.microsoft's GroupQueryAttention with the rotation inside, so past and present may be one buffer; the
graph takes its lengths from the attention mask and has no `position_ids`. Matrices are stored as float16 or int8, all
else as float16; the runtime makes float32 of them when it loads the file (it folds what depends on no input).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hordenode.demo.int8 import INTEGERS, SCALES, quantised

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class LlamaShape:
    """The sizes of a Llama model; `rope_theta` is the base of its rotary embedding."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    context: int
    epsilon: float
    rope_theta: float

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.hidden // self.heads


@dataclass
class _Graph:
    """Nodes and initializers in the making."""

    int8: bool = False
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        node = helper.make_node(kind, list(inputs), [output], name=f"/{output}/{kind}", domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str, value: NDArray[np.float32]) -> str:
        """Store a weight as float16; returns the name of its float32 value."""
        stored = self.constant(f"{name}.fp16", value.astype(np.float16))
        return self.add("Cast", [stored], name, to=TensorProto.FLOAT)

    def matrix(self, name: str, value: NDArray[np.float32], factor: float = 1.0) -> str:
        """Store `factor` times a matrix [out, in] as float16, or as int8 with a scale per row.

        Returns the name of its float32 value. Integers and scales are the matrix's own: the runtime multiplies them by the
        factor when it loads the file.
        """
        if not self.int8:
            return self.weight(name, value * np.float32(factor))
        integers, scale = quantised(value)
        stored = self.constant(name + INTEGERS, integers)
        whole = self.add("Cast", [stored], f"{name}.whole", to=TensorProto.FLOAT)
        step = self.weight(name + SCALES, scale.astype(np.float32))
        if factor != 1.0:
            factors = self.constant(f"{name}.factor", np.array(factor, np.float32))
            step = self.add("Mul", [step, factors], f"{name}.step")
        return self.add("Mul", [whole, step], name)


def llama_graph(shape: LlamaShape, weights: dict[str, NDArray[np.float32]], *, int8: bool = False) -> onnx.ModelProto:
    """Build the model from weights under transformers' names (`model.layers.0.self_attn.q_proj.weight` ...)."""
    graph = _Graph(int8=int8)
    lengths = _sequence_lengths(graph)
    rotation = _rotation(graph, shape)
    table = graph.matrix("embed_tokens", weights["model.embed_tokens.weight"])
    state = graph.add("Gather", [table, "input_ids"], "embedding", axis=0)
    for index in range(shape.layers):
        state = _attention(graph, shape, index, state, weights, [*lengths, *rotation])
        state = _feed_forward(graph, shape, index, state, weights)
    state = _norm(graph, shape, "final_norm", state, weights["model.norm.weight"])
    # The embedding table is also the output matrix.
    head = graph.add("Transpose", [table], "lm_head", perm=[1, 0])
    graph.add("MatMul", [state, head], "logits")
    return helper.make_model(
        helper.make_graph(graph.nodes, "llama", *_signature(shape), graph.initializers),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)],
        ir_version=9,
        producer_name="hordenode",
    )


def _sequence_lengths(graph: _Graph) -> list[str]:
    """Per row the index of the last token, and the length of the mask: what GroupQueryAttention asks for."""
    axis, one = graph.constant("axis_1", np.array([1], np.int64)), graph.constant("one", np.array([1], np.int64))
    total = graph.add("ReduceSum", ["attention_mask", axis], "mask_sum", keepdims=0)
    last = graph.add("Sub", [total, one], "mask_last")
    graph.add("Cast", [last], "seqlens_k", to=TensorProto.INT32)
    size = graph.add("Shape", ["attention_mask"], "mask_shape")
    index = graph.constant("index_1", np.array(1, np.int64))
    width = graph.add("Gather", [size, index], "mask_width", axis=0)
    graph.add("Cast", [width], "total_seq_len", to=TensorProto.INT32)
    return ["seqlens_k", "total_seq_len"]


def _rotation(graph: _Graph, shape: LlamaShape) -> list[str]:
    """Tables [context, head_size / 2] of the rotary embedding; at float16 they alone would cost 1e-2 in the logits."""
    half = shape.head_size // 2
    frequencies = shape.rope_theta ** (-np.arange(half, dtype=np.float64) / half)
    angles = np.arange(shape.context, dtype=np.float64)[:, None] * frequencies
    return [
        graph.constant("cos_cache", np.cos(angles).astype(np.float32)),
        graph.constant("sin_cache", np.sin(angles).astype(np.float32)),
    ]


def _attention(
    graph: _Graph,
    shape: LlamaShape,
    index: int,
    state: str,
    weights: dict[str, NDArray[np.float32]],
    lengths: list[str],
) -> str:
    name, source = f"layers.{index}.attn", f"model.layers.{index}."
    normed = _norm(graph, shape, f"{name}.norm", state, weights[f"{source}input_layernorm.weight"])
    # Scores that nothing scales are made of keys as they lie; otherwise the runtime lays them out anew for each token.
    scale = shape.head_size**-0.5
    folded = scale if graph.int8 else 1.0  # float16 keeps its digits
    query, key, value = (
        _linear(graph, f"{name}.{part}_proj", normed, weights[f"{source}self_attn.{part}_proj.weight"], factor)
        for part, factor in (("q", folded), ("k", 1.0), ("v", 1.0))
    )
    past = [f"past_key_values.{index}.{kind}" for kind in ("key", "value")]
    node = helper.make_node(
        "GroupQueryAttention",
        [query, key, value, *past, *lengths],
        [f"{name}.output", *(f"present.{index}.{kind}" for kind in ("key", "value"))],
        name=f"/{name}/GroupQueryAttention",
        domain=MICROSOFT,
        num_heads=shape.heads,
        kv_num_heads=shape.key_value_heads,
        scale=scale / folded,
        do_rotary=1,
        rotary_interleaved=0,
    )
    graph.nodes.append(node)
    mixed = _linear(graph, f"{name}.o_proj", f"{name}.output", weights[f"{source}self_attn.o_proj.weight"])
    return graph.add("Add", [state, mixed], f"{name}.sum")


def _feed_forward(
    graph: _Graph, shape: LlamaShape, index: int, state: str, weights: dict[str, NDArray[np.float32]]
) -> str:
    name, source = f"layers.{index}.mlp", f"model.layers.{index}."
    normed = _norm(graph, shape, f"{name}.norm", state, weights[f"{source}post_attention_layernorm.weight"])
    gate, up = (
        _linear(graph, f"{name}.{part}_proj", normed, weights[f"{source}mlp.{part}_proj.weight"])
        for part in ("gate", "up")
    )
    sigmoid = graph.add("Sigmoid", [gate], f"{name}.sigmoid")
    gated = graph.add("Mul", [gate, sigmoid], f"{name}.silu")
    product = graph.add("Mul", [gated, up], f"{name}.product")
    down = _linear(graph, f"{name}.down_proj", product, weights[f"{source}mlp.down_proj.weight"])
    return graph.add("Add", [state, down], f"{name}.sum")


def _linear(graph: _Graph, name: str, state: str, weight: NDArray[np.float32], factor: float = 1.0) -> str:
    """Multiply by `factor` and the transpose of a weight [out, in]."""
    matrix = graph.add("Transpose", [graph.matrix(f"{name}.weight", weight, factor)], f"{name}.transposed", perm=[1, 0])
    return graph.add("MatMul", [state, matrix], name)


def _norm(graph: _Graph, shape: LlamaShape, name: str, state: str, weight: NDArray[np.float32]) -> str:
    # Without a domain, as the builder writes it: the runtime has the operator though ONNX has not.
    scale = graph.weight(f"{name}.weight", weight)
    return graph.add("SimplifiedLayerNormalization", [state, scale], name, axis=-1, epsilon=shape.epsilon, stash_type=1)


def _signature(shape: LlamaShape) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Inputs and outputs of the graph."""
    integers, floats = TensorProto.INT64, TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("input_ids", integers, ["batch_size", "sequence_length"]),
        helper.make_tensor_value_info("attention_mask", integers, ["batch_size", "total_sequence_length"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", floats, ["batch_size", "sequence_length", shape.vocabulary])]
    for index in range(shape.layers):
        for kind in ("key", "value"):
            past: list[str | int | None] = [
                "batch_size",
                shape.key_value_heads,
                "past_sequence_length",
                shape.head_size,
            ]
            present: list[str | int | None] = [
                "batch_size",
                shape.key_value_heads,
                "total_sequence_length",
                shape.head_size,
            ]
            inputs.append(helper.make_tensor_value_info(f"past_key_values.{index}.{kind}", floats, past))
            outputs.append(helper.make_tensor_value_info(f"present.{index}.{kind}", floats, present))
    return inputs, outputs
