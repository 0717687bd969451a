# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""ONNX files of the demo models: float16 weights under their own names, so that training can start from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

# What is added to the name of a weight that is stored in float16.
HALF = ".fp16"


class OtherFormError(Exception):
    """A file holds the weights of another network than the one to be filled."""


def store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store every float32 weight as float16 behind a cast; the runtime folds the casts when it loads the file."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            name = weight.name
            half = numpy_helper.to_array(weight).astype(np.float16)
            weight.CopyFrom(numpy_helper.from_array(half, name + HALF))
            casts.append(helper.make_node("Cast", [weight.name], [name], name=f"/{name}/Cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return every named weight of a file as float32."""
    stored = onnx.load(str(file)).graph.initializer
    return {
        weight.name.removesuffix(HALF): torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
        for weight in stored
    }


def fill(module: nn.Module, weights: dict[str, Tensor], but: tuple[str, ...] = ()) -> None:
    """Put the weights of a file into a module; raises OtherFormError where one that is not in `but` does not fit."""
    with torch.no_grad():
        for name, weight in module.state_dict().items():
            if name.startswith(but):
                continue
            if name not in weights or weights[name].numel() != weight.numel():
                raise OtherFormError(
                    f"the file has no weight {name} {list(weight.shape)}: its model is of another form"
                )
            weight.copy_(weights[name].reshape(weight.shape))


def write_json(file: Path, content: dict[str, object]) -> None:
    """Write a configuration file; its folder is made where it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
