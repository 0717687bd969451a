"""Rewrites the graphs of an image model as what the runtime does faster, and keeps that only if it answers the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hordenode.config import EngineSettings
from hordenode.engine.runtime import Array, Runtime, Session
from hordenode.library.contained import Limits, contained, limit_memory
from hordenode.library.convert.attention import fuse_attention
from hordenode.library.convert.upsampling import fuse_upsampling
from hordenode.library.errors import LibraryError

NEW, WEIGHTS = "model.onnx.new", "model.onnx.phases"
# Where the fused attention has a kernel; the filters were only measured to be faster on the CPU.
ATTENTION_ON, UPSAMPLING_ON = ("cpu", "cuda", "rocm", "directml"), ("cpu",)
TOLERANCE = {np.dtype(np.float32): 1e-4, np.dtype(np.float16): 2e-2}
STEP = 500
TOKENS, SIDE = 77, 16

Weight = NDArray[Any]


def fuse(file: Path, provider: str, settings: EngineSettings, limits: Limits, say: Callable[[str], None]) -> str:
    """Rewrite a graph where that is exact; returns what was done in words, empty for nothing.

    The two are compared in a process of its own. Raises LibraryError for a file that is no graph.
    """
    try:
        model = onnx.load(str(file), load_external_data=False)
        attentions = fuse_attention(model) if provider in ATTENTION_ON else 0
        weights = fuse_upsampling(model, file.parent) if provider in UPSAMPLING_ON else {}
    except Exception as error:  # protobuf's errors have no base class that onnx promises
        raise LibraryError(f"{file}: is damaged or no ONNX file ({error}). Fetch it again.") from error
    if not attentions and not weights:
        return ""
    new = file.with_name(NEW)
    _write(model, weights, new)
    say(f"comparing {file.parent.name} with its faster form")
    if not _agree(file, new, settings, limits):
        new.unlink()
        (file.parent / WEIGHTS).unlink(missing_ok=True)
        return ""
    new.replace(file)
    return f"{file.parent.name}: {attentions} attentions and {len(weights) // 4} upsamplings in a faster form"


def _write(model: onnx.ModelProto, weights: Mapping[str, Weight], file: Path) -> None:
    """The graph; new weights go to a file beside it."""
    with (file.parent / WEIGHTS).open("wb") as stream:
        for name, value in weights.items():
            tensor = model.graph.initializer.add()
            tensor.name, tensor.data_type = name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            tensor.dims.extend(value.shape)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, known in (("location", WEIGHTS), ("offset", stream.tell()), ("length", value.nbytes)):
                tensor.external_data.add(key=key, value=str(known))
            stream.write(value.tobytes())
    if not weights:
        (file.parent / WEIGHTS).unlink()
    onnx.save(model, str(file))


def _agree(old: Path, new: Path, settings: EngineSettings, limits: Limits) -> bool:
    try:
        return contained(old.parent, limits, _compare, old, new, settings, limits)
    except LibraryError:  # if it is the old one that cannot run, the trial will say so
        return False


def _compare(old: Path, new: Path, settings: EngineSettings, limits: Limits) -> bool:
    """Whether two graphs answer alike to the same noise."""
    runtime = Runtime(settings)
    if runtime.report().provider == "cpu":
        limit_memory(limits)
    answers: list[Array] = []
    for file in (old, new):
        session = runtime.open(file)
        answers.append(session.run(_noise(session)))
        del session  # both together need not fit
    expected, made = (each.astype(np.float64) for each in answers)
    error = float(np.abs(made - expected).max() / max(float(np.abs(expected).max()), 1e-9))
    return error <= TOLERANCE[answers[0].dtype]


def _noise(session: Session) -> dict[str, Array]:
    """Values for every input of a part of an image model."""
    random = np.random.Generator(np.random.PCG64(0))
    made: dict[str, Array] = {}
    for name, tensor in session.inputs.items():
        if name == "timestep":
            made[name] = np.full([size or 1 for size in tensor.shape], STEP)
            continue
        usual = [2, TOKENS, 0] if len(tensor.shape) == 3 else [2, 0, SIDE, SIDE]
        shape = [size or usual[axis] for axis, size in enumerate(tensor.shape)]
        made[name] = random.standard_normal(shape)
    return made
