"""Weights stored as 8-bit integers."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hordenode.demo.int8 import quantised, rounded
from hordenode.demo.llama_graph import LlamaShape, llama_graph

SHAPE = LlamaShape(
    vocabulary=24, hidden=32, layers=1, heads=2, key_value_heads=1, context=32, epsilon=1e-5, rope_theta=10000.0
)


def test_rounding_moves_a_weight_by_half_a_step_at_most() -> None:
    matrix = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(rounded(matrix) - matrix) <= step * 0.57).all()  # the scale itself is rounded to float16


def test_a_row_of_zeros_stays_zero() -> None:
    matrix = np.zeros((2, 4), np.float32)
    integers, scale = quantised(matrix)
    assert integers.dtype == np.int8
    assert not integers.any()
    assert not scale.any()
    assert not rounded(matrix).any()


def test_the_graph_computes_with_the_rounded_weights() -> None:
    weights = _weights()
    stored = {name: rounded(value) if value.ndim == 2 else value for name, value in weights.items()}
    exact, small = _logits(stored, int8=False), _logits(weights, int8=True)
    assert np.abs(exact - small).max() < 5e-3  # float16 rounds the rounded weights once more
    assert np.abs(exact - _logits(weights, int8=False)).max() > 5e-3


def _logits(weights: dict[str, NDArray[np.float32]], *, int8: bool) -> NDArray[np.float32]:
    graph = llama_graph(SHAPE, weights, int8=int8)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    past = np.zeros((1, SHAPE.key_value_heads, 0, SHAPE.head_size), np.float32)
    feed = {f"past_key_values.0.{kind}": past for kind in ("key", "value")}
    ids = np.arange(6, dtype=np.int64)[None]
    logits: NDArray[np.float32] = session.run(
        ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids), **feed}
    )[0]
    return logits


def _weights() -> dict[str, NDArray[np.float32]]:
    random, hidden, inner = np.random.default_rng(1), SHAPE.hidden, 32
    layer = "model.layers.0."
    shapes = {
        "model.embed_tokens.weight": (SHAPE.vocabulary, hidden),
        f"{layer}self_attn.q_proj.weight": (hidden, hidden),
        f"{layer}self_attn.k_proj.weight": (hidden // 2, hidden),
        f"{layer}self_attn.v_proj.weight": (hidden // 2, hidden),
        f"{layer}self_attn.o_proj.weight": (hidden, hidden),
        f"{layer}mlp.gate_proj.weight": (inner, hidden),
        f"{layer}mlp.up_proj.weight": (inner, hidden),
        f"{layer}mlp.down_proj.weight": (hidden, inner),
        f"{layer}input_layernorm.weight": (hidden,),
        f"{layer}post_attention_layernorm.weight": (hidden,),
        "model.norm.weight": (hidden,),
    }
    return {name: random.normal(0, 0.3, size).astype(np.float32) for name, size in shapes.items()}
