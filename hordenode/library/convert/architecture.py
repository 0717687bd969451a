"""What config.json of a causal language model says, as the numbers that its graph is made of.

Families: Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3 (text), Phi 1 to 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hordenode.engine.files import read_json
from hordenode.library.convert.rotation import Rotation
from hordenode.library.errors import LibraryError

CONFIG = "config.json"
ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu_pytorch_tanh": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes and habits of a decoder. Widths in values, `context` in tokens; windows and rotations by layer.

    `norm_offset`: added to the weights of a norm. `sandwich`: norms before and after attention and feed-forward.
    `parallel`: attention and feed-forward read the same norm. `plain`: feed-forward without a gate. A window, cap or
    scale of 0 is off.
    """

    family: str
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    context: int
    epsilon: float
    windows: tuple[int, ...]
    rotations: tuple[Rotation, ...]
    activation: str = "silu"
    norm_offset: float = 0.0
    layer_norm: bool = False
    tied: bool = False
    embedding_scale: float = 0.0
    attention_scale: float = 1.0
    attention_cap: float = 0.0
    logit_cap: float = 0.0
    head_norms: bool = False
    sandwich: bool = False
    fused: bool = False
    parallel: bool = False
    plain: bool = False
    start: int | None = None
    ends: tuple[int, ...] = ()


def read_architecture(folder: Path) -> Architecture:
    """Read a checkpoint's config.json. Raises LibraryError for what cannot be converted, and ModelFileError."""
    file = folder / CONFIG
    config = read_json(file, dict[str, Any])
    if isinstance(inner := config.get("text_config"), dict):  # a model that also sees: its text half is taken
        config = {**inner, "model_type": inner.get("model_type") or config.get("model_type")}
    family = str(config.get("model_type"))
    if family not in _FAMILIES:
        raise LibraryError(
            f"{file}: the family '{family}' cannot be converted; known are {', '.join(_FAMILIES)}. A folder that ONNX "
            "Runtime GenAI's builder made can be added as it is."
        )
    if config.get("quantization_config"):
        raise LibraryError(f"{file}: the weights are quantised already. Take the checkpoint that it was made from.")
    try:
        return _architecture(family, config, _end_tokens(folder, config))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise LibraryError(f"{file}: lacks or garbles a value that a '{family}' needs ({error!r}).") from error


def _architecture(family: str, config: Mapping[str, Any], ends: tuple[int, ...]) -> Architecture:
    hidden, heads, layers = (
        int(config["hidden_size"]),
        int(config["num_attention_heads"]),
        int(config["num_hidden_layers"]),
    )
    head_size = int(config.get("head_dim") or hidden // heads)
    windows = _windows(family, config, layers)
    rotations = tuple(_rotation(config, head_size, _layer_kind(window)) for window in windows)
    reach = [rotation.reach for rotation in rotations if rotation.reach]
    activation = str(config.get("hidden_activation") or config.get("hidden_act") or "silu")
    if activation not in ACTIVATIONS:
        if activation != "gelu" or not family.startswith("gemma"):
            raise ValueError(f"activation {activation}")
        activation = "gelu_pytorch_tanh"  # Gemma's first configurations say gelu and mean this one
    start = config.get("bos_token_id")
    common = {
        "family": family,
        "vocabulary": int(config["vocab_size"]),
        "hidden": hidden,
        "intermediate": int(config["intermediate_size"]),
        "layers": layers,
        "heads": heads,
        "key_value_heads": int(config.get("num_key_value_heads") or heads),
        "head_size": head_size,
        "context": min([int(config["max_position_embeddings"]), *reach]),
        "epsilon": float(config.get("rms_norm_eps") or config.get("layer_norm_eps") or 1e-6),
        "windows": windows,
        "rotations": rotations,
        "activation": ACTIVATIONS[activation],
        "attention_scale": float(config.get("query_pre_attn_scalar") or head_size) ** -0.5,
        "attention_cap": float(config.get("attn_logit_softcapping") or 0.0),
        "logit_cap": float(config.get("final_logit_softcapping") or 0.0),
        "tied": bool(config.get("tie_word_embeddings", family.startswith("gemma"))),
        "start": start if isinstance(start, int) else None,
        "ends": ends,
    }
    made: Architecture = msgspec.convert({**common, **_FAMILIES[family](hidden)}, Architecture)
    return made


def _gemma(hidden: int) -> dict[str, Any]:
    return {"norm_offset": 1.0, "embedding_scale": float(hidden**0.5)}


def _phi(_: int) -> dict[str, Any]:
    return {"layer_norm": True, "parallel": True, "plain": True}


_FAMILIES: dict[str, Callable[[int], dict[str, Any]]] = {
    "llama": lambda _: {},
    "mistral": lambda _: {},
    "qwen2": lambda _: {},
    "qwen3": lambda _: {"head_norms": True},
    "gemma": _gemma,
    "gemma2": lambda hidden: {**_gemma(hidden), "sandwich": True},
    "gemma3_text": lambda hidden: {**_gemma(hidden), "sandwich": True, "head_norms": True},
    "phi": _phi,
    "phi3": lambda _: {"fused": True},
}


def _windows(family: str, config: Mapping[str, Any], layers: int) -> tuple[int, ...]:
    """How many tokens each layer looks back on."""
    window = int(config.get("sliding_window") or 0)
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return tuple(window if kind == "sliding_attention" else 0 for kind in kinds[:layers])
    if family == "gemma2":
        return tuple(0 if index % 2 else window for index in range(layers))
    if family == "gemma3_text":
        pattern = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6)
        return tuple(0 if (index + 1) % pattern == 0 else window for index in range(layers))
    if family.startswith("qwen"):
        below = int(config.get("max_window_layers") or 0)
        used = bool(config.get("use_sliding_window"))
        return tuple(window if used and index >= below else 0 for index in range(layers))
    return (window if family in ("mistral", "phi3") else 0,) * layers


def _layer_kind(window: int) -> str:
    return "sliding_attention" if window else "full_attention"


def _rotation(config: Mapping[str, Any], head_size: int, kind: str) -> Rotation:
    """Of a layer: newer files keep it in rope_parameters, perhaps by the kind of layer, older ones in several keys."""
    scaling: dict[str, Any] = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    if kind in scaling:
        scaling = dict(scaling[kind])
    elif kind == "sliding_attention" and config.get("rope_local_base_freq"):
        scaling = {"rope_theta": config["rope_local_base_freq"]}  # Gemma 3
    base = float(scaling.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    share = float(scaling.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0)
    if "original_max_position_embeddings" in config:  # Phi 3 keeps it outside
        scaling.setdefault("original_max_position_embeddings", config["original_max_position_embeddings"])
    return Rotation(base, int(head_size * share), scaling, int(config["max_position_embeddings"]))


def _end_tokens(folder: Path, config: Mapping[str, Any]) -> tuple[int, ...]:
    """Of generation_config.json, which knows the end of a turn too, else of config.json."""
    file = folder / "generation_config.json"
    more = read_json(file, dict[str, Any]) if file.is_file() else {}
    ends = more.get("eos_token_id", config.get("eos_token_id"))
    return tuple(end for end in (ends if isinstance(ends, list) else [ends]) if isinstance(end, int))
