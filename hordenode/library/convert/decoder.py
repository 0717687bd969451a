"""Writes a decoder as the graph that ONNX Runtime GenAI's builder would write.

Attention is com.microsoft's GroupQueryAttention with the rotation inside, so that past and present may be one buffer;
it takes its lengths from the attention mask, and there are no `position_ids`. Maps of the same state are one matrix: a
multiplication less is a start and end of all threads less (measured: 121 instead of 211 of them make a step of one
text 15 to 30 % faster).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from hordenode.library.convert.architecture import Architecture
from hordenode.library.convert.checkpoint import Checkpoint, Linear, joined
from hordenode.library.convert.precision import BLOCK, Precision, quantised
from hordenode.library.convert.rotation import tables
from hordenode.library.convert.writer import MICROSOFT, GraphWriter

# Multiply with activations rounded to 8 bits, the kernel that is fast on CPUs; the others ignore it.
ACCURACY = 4
LOGITS = "logits"


class DecoderWriter:
    """Writes the graph of one checkpoint, from the bottom to the top."""

    def __init__(self, shape: Architecture, weights: Checkpoint, precision: Precision, folder: Path) -> None:
        self._shape = shape
        self._weights = weights
        self._precision = precision
        self._graph = GraphWriter(folder, precision.dtype)

    def write(self) -> None:
        """Write model.onnx and its weights. Raises LibraryError, UnsupportedRotation."""
        shape, graph = self._shape, self._graph
        try:
            lengths = self._lengths()
            state, table = self._embed()
            change = ""
            for layer in range(shape.layers):
                state, change = self._layer(layer, state, change, lengths)
            _, normed = self._summed("final_layernorm" if shape.layer_norm else "norm", state, change)
            self._logits(normed, table)
            graph.save(*_signature(shape, graph.type))
        finally:
            graph.close()

    def _lengths(self) -> list[str]:
        """Per row the index of the last token, and the length of the mask: what GroupQueryAttention asks for."""
        graph = self._graph
        total = graph.add("ReduceSum", ["attention_mask", graph.whole(1)], "mask_sum", keepdims=0)
        last = graph.add("Sub", [total, graph.whole(1)], "mask_last")
        graph.add("Cast", [last], "seqlens_k", to=TensorProto.INT32)
        size = graph.add("Shape", ["attention_mask"], "mask_shape", start=1)
        width = graph.add("Squeeze", [size, graph.whole(0)], "mask_width")
        graph.add("Cast", [width], "total_seq_len", to=TensorProto.INT32)
        return ["seqlens_k", "total_seq_len"]

    def _embed(self) -> tuple[str, str]:
        """The first state, and the name of the table. Beside quantised weights the table is kept in float16."""
        graph, value = self._graph, self._weights.embedding()
        if self._precision.bits:
            table = graph.constant("model.embed_tokens.weight", value.astype(np.float16))
            rows = graph.add("Gather", [table, "input_ids"], "embed_tokens.rows", axis=0)
            state = graph.add("Cast", [rows], "embed_tokens", to=graph.type)
        else:
            table = graph.weight("model.embed_tokens.weight", value)
            state = graph.add("Gather", [table, "input_ids"], "embed_tokens", axis=0)
        if self._shape.embedding_scale:
            state = graph.add("Mul", [state, graph.scalar(self._shape.embedding_scale)], "embed_tokens.scaled")
        return state, table

    def _layer(self, layer: int, state: str, change: str, lengths: list[str]) -> tuple[str, str]:
        """A layer on `state` + `change`; returns their sum, and what the layer adds to that: the next norm will."""
        graph, name, shape = self._graph, f"layers.{layer}", self._shape
        state, normed = self._summed(f"{name}.input_layernorm", state, change)
        mixed = self._attention(layer, normed, lengths)
        if shape.parallel:  # attention and feed-forward beside each other, as in Phi 1 and 2
            return state, graph.add("Add", [mixed, self._feed_forward(layer, normed)], f"{name}.both")
        if shape.sandwich:
            mixed = self._norm(f"{name}.post_attention_layernorm", mixed)
        before = "pre_feedforward_layernorm" if shape.sandwich else "post_attention_layernorm"
        state, normed = self._summed(f"{name}.{before}", state, mixed)
        fed = self._feed_forward(layer, normed)
        if shape.sandwich:
            fed = self._norm(f"{name}.post_feedforward_layernorm", fed)
        return state, fed

    def _attention(self, layer: int, state: str, lengths: list[str]) -> str:
        shape, graph, name = self._shape, self._graph, f"layers.{layer}.self_attn"
        query, key, value = self._heads(layer, name, state)
        kinds = ("key", "value")
        window = {"local_window_size": shape.windows[layer]} if shape.windows[layer] else {}
        cap = {"softcap": shape.attention_cap} if shape.attention_cap else {}
        past = [f"past_key_values.{layer}.{kind}" for kind in kinds]
        mixed = graph.add(
            "GroupQueryAttention",
            [query, key, value, *past, *lengths, *self._rotation(layer)],
            f"{name}.mixed",
            *(f"present.{layer}.{kind}" for kind in kinds),
            domain=MICROSOFT,
            num_heads=shape.heads,
            kv_num_heads=shape.key_value_heads,
            scale=shape.attention_scale / self._query_scale,
            do_rotary=1,
            rotary_interleaved=0,
            **window,
            **cap,
        )
        return self._linear(f"{name}.o_proj", mixed, self._weights.linear(layer, "o"))

    def _heads(self, layer: int, name: str, state: str) -> tuple[str, str, str]:
        """Query, key and value; by one multiplication where nothing comes between, as the operator takes them packed."""
        parts = {part: self._weights.linear(layer, part) for part in "qkv"}
        if not self._shape.head_norms:
            parts["q"] = parts["q"].scaled(self._query_scale)
            return self._linear(f"{name}.qkv_proj", state, joined(*parts.values())), "", ""
        query, key, value = (self._linear(f"{name}.{part}_proj", state, linear) for part, linear in parts.items())
        query = self._head_norm(f"{name}.q_norm", query, self._shape.heads, self._query_scale)
        key = self._head_norm(f"{name}.k_norm", key, self._shape.key_value_heads)
        return query, key, value

    @property
    def _query_scale(self) -> float:
        """What the weights of queries are multiplied by, so that attention need not scale its scores.

        On x86 ONNX Runtime multiplies one token's query by all keys as they lie, but only where nothing scales the scores;
        otherwise it lays the keys out anew first: attention of 200 tokens then takes half as long again, a step of eight
        texts 4 % longer (measured). float16 keeps its digits.
        """
        return 1.0 if self._precision.half else self._shape.attention_scale

    def _rotation(self, layer: int) -> list[str]:
        """Tables [context, width / 2], shared by the layers that turn alike."""
        rotations = self._shape.rotations
        number = rotations.index(rotations[layer])
        cosines, sines = tables(rotations[layer], self._shape.context)
        return [self._graph.weight(f"cos.{number}", cosines), self._graph.weight(f"sin.{number}", sines)]

    def _feed_forward(self, layer: int, state: str) -> str:
        shape, graph, name = self._shape, self._graph, f"layers.{layer}.mlp"
        up = self._weights.linear(layer, "up")
        if shape.plain:
            inner = self._activate(f"{name}.act", self._linear(f"{name}.up_proj", state, up))
        else:
            both = joined(self._weights.linear(layer, "gate"), up)
            wide = self._linear(f"{name}.gate_up_proj", state, both)
            gate, risen = f"{name}.gate_proj", f"{name}.up_proj"
            graph.add("Split", [wide], gate, risen, axis=-1, num_outputs=2)
            inner = graph.add("Mul", [self._activate(f"{name}.act", gate), risen], f"{name}.inner")
        return self._linear(f"{name}.down_proj", inner, self._weights.linear(layer, "down"))

    def _activate(self, name: str, state: str) -> str:
        if self._shape.activation == "gelu":
            return self._graph.add("Gelu", [state], name, approximate="tanh")
        sigmoid = self._graph.add("Sigmoid", [state], f"{name}.sigmoid")
        return self._graph.add("Mul", [state, sigmoid], name)

    def _head_norm(self, name: str, state: str, heads: int, scale: float = 1.0) -> str:
        """Norm each head by itself, and multiply it by `scale`."""
        graph, size = self._graph, self._shape.head_size
        split = graph.add("Reshape", [state, graph.whole(0, 0, heads, size)], f"{name}.heads")
        normed = self._norm(name, split, size, scale)
        return graph.add("Reshape", [normed, graph.whole(0, 0, heads * size)], f"{name}.joined")

    def _summed(self, name: str, state: str, change: str) -> tuple[str, str]:
        """`state` + `change`, and the norm of that: one operator for both. `change` may be missing."""
        if not change:
            return state, self._norm(name, state)
        total, parts = f"{name}.sum", self._norm_weights(name, self._shape.hidden)
        kind = "SkipLayerNormalization" if len(parts) > 1 else "SkipSimplifiedLayerNormalization"
        outputs = (name, "", "", total)
        self._graph.add(kind, [state, change, *parts], *outputs, domain=MICROSOFT, epsilon=self._shape.epsilon)
        return total, name

    def _norm(self, name: str, state: str, width: int = 0, scale: float = 1.0) -> str:
        graph, epsilon = self._graph, self._shape.epsilon
        parts = self._norm_weights(name, width or self._shape.hidden, scale)
        if len(parts) > 1:
            return graph.add("LayerNormalization", [state, *parts], name, axis=-1, epsilon=epsilon)
        # Without a domain, as the builder writes it: the runtime has the operator though ONNX has not.
        return graph.add("SimplifiedLayerNormalization", [state, *parts], name, axis=-1, epsilon=epsilon, stash_type=1)

    def _norm_weights(self, name: str, width: int, scale: float = 1.0) -> list[str]:
        """The factors; and the shift, where there is one. Both times `scale`."""
        weight, bias = self._weights.norm(name, width)
        parts = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return [self._graph.weight(f"model.{name}.{part}", value * np.float32(scale)) for part, value in parts.items()]

    def _logits(self, state: str, table: str) -> None:
        shape, graph = self._shape, self._graph
        head = self._weights.head()
        ends = not (self._precision.half or shape.logit_cap)  # nothing comes behind the matrix
        name = LOGITS if ends else "lm_head"
        if head is None and not self._precision.bits:  # the table is the matrix too: no second copy in the file
            made = self._product(name, state, table)
        else:
            made = self._linear("lm_head", state, head or Linear(self._weights.embedding(), None), name)
        if ends:
            return
        if shape.logit_cap:
            cap = graph.scalar(shape.logit_cap)
            curved = graph.add("Tanh", [graph.add("Div", [made, cap], "lm_head.over_cap")], "lm_head.curved")
            made = graph.add("Mul", [curved, cap], "lm_head.capped")
        graph.add("Cast", [made], LOGITS, to=TensorProto.FLOAT)

    def _linear(self, name: str, state: str, linear: Linear, output: str = "") -> str:
        """`output`: what the result is called, if it is not called `name`."""
        graph, bits, output = self._graph, self._precision.bits, output or name
        weight, bare = f"model.{name}.weight", f"{name}.bare" if linear.bias is not None else output
        if bits:
            made = self._quantised(weight, bare, state, linear)
        elif self._precision.half:
            made = graph.add("MatMul", [state, graph.weight(weight, linear.weight.T)], bare)
        else:
            made = self._product(bare, state, graph.weight(weight, linear.weight))
        if linear.bias is None:
            return made
        return graph.add("Add", [made, graph.weight(f"model.{name}.bias", linear.bias)], output)

    def _product(self, name: str, state: str, matrix: str) -> str:
        """By a matrix [out, in], as checkpoints have it: the engine can then lay it out as it likes."""
        return self._graph.add("FusedMatMul", [state, matrix], name, domain=MICROSOFT, transB=1)

    def _quantised(self, weight: str, name: str, state: str, linear: Linear) -> str:
        graph, bits = self._graph, self._precision.bits
        rows, columns = linear.weight.shape
        blocks = quantised(linear.weight, bits)
        stored = graph.constant(f"{weight}.q{bits}", blocks.packed)
        scales = graph.weight(f"{weight}.scales", blocks.scales.ravel())
        return graph.add(
            "MatMulNBits",
            [state, stored, scales],
            name,
            domain=MICROSOFT,
            K=columns,
            N=rows,
            bits=bits,
            block_size=BLOCK,
            accuracy_level=ACCURACY,
        )


def _signature(shape: Architecture, kind: int) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Inputs and outputs of the graph; `kind`: of the cache."""

    def cache(name: str, length: str) -> list[onnx.ValueInfoProto]:
        sizes = ["batch_size", shape.key_value_heads, length, shape.head_size]
        return [
            helper.make_tensor_value_info(f"{name}.{layer}.{half}", kind, sizes)
            for layer in range(shape.layers)
            for half in ("key", "value")
        ]

    rows, integers = ["batch_size", "sequence_length"], TensorProto.INT64
    inputs = [
        helper.make_tensor_value_info("input_ids", integers, rows),
        helper.make_tensor_value_info("attention_mask", integers, ["batch_size", "total_sequence_length"]),
        *cache("past_key_values", "past_sequence_length"),
    ]
    logits = helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [*rows, shape.vocabulary])
    return inputs, [logits, *cache("present", "total_sequence_length")]
