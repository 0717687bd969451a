"""Makes an ONNX image folder ready for LoRA: weights outside of the graph, and a list of which is whose.

A session takes other weights only where they stand in a file of their own, and only by the initializer's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx.external_data_helper import uses_external_data

from hordenode.library.convert.graph_names import module_weights
from hordenode.library.convert.upsampling import MARK
from hordenode.library.convert.writer import DATA, LARGE, MODEL
from hordenode.library.errors import LibraryError

# The parts that LoRAs change.
CHANGED = ("unet", "text_encoder", "text_encoder_2")
NAMES = "lora.json"


def normalise(folder: Path, say: Callable[[str], None]) -> int:
    """Rewrite the graphs in `folder`; returns how many modules are named. Raises LibraryError."""
    named = 0
    for part in CHANGED:
        graph = folder / part / MODEL
        if graph.is_file():
            say(f"naming the weights of {part}")
            named += _normalise(graph)
    return named


def _normalise(file: Path) -> int:
    try:
        model = onnx.load(str(file), load_external_data=False)
        if not any(uses_external_data(tensor) for tensor in model.graph.initializer):
            _move_out(model, file)
    except Exception as error:  # protobuf's errors have no base class that onnx promises
        raise LibraryError(f"{file}: is damaged or no ONNX file ({error}). Fetch it again.") from error
    names: dict[str, dict[str, Any]] = {}
    for found in module_weights(model.graph):
        if MARK in found.initializer:  # one of several that were made of the module's own
            names.setdefault(found.module, {"phases": []})["phases"].append(found.initializer)
        else:
            names[found.module] = {"initializer": found.initializer, "transposed": found.transposed}
    (file.parent / NAMES).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    return len(names)


def _move_out(model: onnx.ModelProto, file: Path) -> None:
    """Write the graph and its weights as two files."""
    new = file.with_name(f"{MODEL}.new")
    (file.parent / DATA).unlink(missing_ok=True)
    onnx.save(model, str(new), save_as_external_data=True, location=DATA, size_threshold=LARGE)
    new.replace(file)
