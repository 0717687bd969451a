"""The operators that ONNX Runtime has for graphics cards alone, put into a graph by its own optimizer.

Not its attention and not its convolutions: those would hide weights from LoRA (attention.py has a form that does not).
Nor the text encoders: they run once for a picture, and clip_skip finds its layers by the operators that this would fuse.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

KINDS = {"unet": "unet", "vae_decoder": "vae"}  # parts of a model, as the optimizer calls them
LARGE = 1024  # bytes


def fuse_for_cards(source: Path, target: Path, weights: str, card: bool) -> int:
    """Write the graph `source` anew as `target`, with its weights in a file beside; returns how many operators were fused.

    `card`: also those that have no kernel elsewhere. Writes nothing when there is nothing to fuse.
    """
    from onnxruntime.transformers.optimizer import optimize_model

    kind = KINDS[source.parent.name]
    with contextlib.redirect_stderr(io.StringIO()):  # it draws progress bars
        made = optimize_model(
            str(source),
            model_type=kind,
            num_heads=0,
            hidden_size=0,
            opt_level=0,
            optimization_options=_options(kind, card=card),
            use_gpu=card,
        )
    there = Counter(node.op_type for node in onnx.load(str(source), load_external_data=False).graph.node)
    count = sum(max(int(after) - there[kind], 0) for kind, after in made.get_fused_operator_statistics().items())
    if count:
        onnx.save(made.model, str(target), save_as_external_data=True, location=weights, size_threshold=LARGE)
    return count


def _options(kind: str, *, card: bool) -> Any:
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions(kind)
    options.enable_attention = options.enable_nhwc_conv = False
    options.enable_packed_qkv = options.enable_packed_kv = False
    if not card:
        options.enable_group_norm = options.enable_skip_group_norm = False
        options.enable_bias_splitgelu = options.enable_bias_add = False
    return options
