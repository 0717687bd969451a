"""Rewrites the graphs of an image model as what the runtime does faster, and keeps that only if it answers the same."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hordenode.config import EngineSettings
from hordenode.engine.files import MB, read_json, size_mb
from hordenode.engine.image.unet import UnetConfig
from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.tensors import Array
from hordenode.library.contained import Limits, contained, limit_memory
from hordenode.library.convert.attention import fuse_attention
from hordenode.library.convert.graph_names import module_weights
from hordenode.library.convert.runtime_fusions import fuse_for_cards
from hordenode.library.convert.upsampling import fuse_upsampling
from hordenode.library.convert.winograd import LEAST, fuse_filters
from hordenode.library.errors import LibraryError

NEW, WEIGHTS, FUSED_WEIGHTS = "model.onnx.new", "model.onnx.phases", "model.onnx.fused"
# Where the fused attention has a kernel; the filters were only measured to be faster on the CPU.
ATTENTION_ON, UPSAMPLING_ON, FILTERS_ON = ("cpu", "cuda", "rocm", "directml"), ("cpu",), ("cpu",)
CARDS = ("cuda",)  # for which the runtime's own optimizer is tried
GAIN = 0.02  # part of its time that a graph must save to be worth what changes
FILTERS_GAIN = 0.05  # they take memory too
RUNS = 5
TRIES = 2  # other programs may slow down one of the two
TOLERANCE = {np.dtype(np.float32): 1e-4, np.dtype(np.float16): 2e-2}
STEP = 500
TOKENS, SIDES = 77, (16, 16)
USUAL_SIDE = 32  # latents of the picture that a UNet is timed with: 256 px, the least that people ask for

Weight = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fused:
    """What was done in words, empty for nothing, and the memory that it takes beside the size of the files."""

    words: str
    more_mb: int = 0


def fuse(file: Path, provider: str, settings: EngineSettings, limits: Limits, say: Callable[[str], None]) -> Fused:
    """Rewrite a graph where that is exact.

    The two are compared in a process of its own. Raises LibraryError for a file that is no graph.
    """
    try:
        model = onnx.load(str(file), load_external_data=False)
        attentions = fuse_attention(model) if provider in ATTENTION_ON else 0
        weights = fuse_upsampling(model, file.parent) if provider in UPSAMPLING_ON else {}
    except Exception as error:  # protobuf's errors have no base class that onnx promises
        raise LibraryError(f"{file}: is damaged or no ONNX file ({error}). Fetch it again.") from error
    said, more_mb = list[str](), 0
    if attentions or weights:
        new = file.with_name(NEW)
        _write(model, weights, new)
        say(f"comparing {file.parent.name} with its faster form")
        if _compared(file, new, settings, limits).agree:
            new.replace(file)
            said.append(f"{attentions} attentions and {len(weights) // 4} upsamplings in a faster form")
        else:
            new.unlink()
            (file.parent / WEIGHTS).unlink(missing_ok=True)
    if provider in CARDS and importlib.util.find_spec("sympy") is not None:
        say(f"trying the runtime's operators for graphics cards on {file.parent.name}")
        fused = fuse_with_runtime(file, settings, limits)
        said += [f"{fused} operators of the runtime for graphics cards"] if fused else []
    if provider in FILTERS_ON and file.parent.name == "unet":
        say(f"trying filters with fewer products on {file.parent.name}")
        more_mb = fuse_with_filters(file, settings, limits)
        said += [f"filters with fewer products for {more_mb} MB more"] if more_mb else []
    return Fused(f"{file.parent.name}: {', '.join(said)}" if said else "", more_mb)


def fuse_with_filters(
    file: Path, settings: EngineSettings, limits: Limits, *, least: int = LEAST, gain: float = FILTERS_GAIN
) -> int:
    """Let the filters of a UNet take fewer products; returns the MB that they take more, 0 when the graph stays as it is.

    That is where the new one answers otherwise, or is not faster by this part (what goes on between its products uses
    one thread alone), or where engine.memory_mb would not hold it.
    """
    model, new = onnx.load(str(file), load_external_data=False), file.with_name(NEW)
    more_mb = -(-fuse_filters(model, least=least) * np.dtype(np.float32).itemsize // MB)
    if not more_mb or 0 < settings.memory_mb < size_mb(file.parent.parent) + more_mb:
        return 0
    onnx.save(model, str(new))
    multiple = read_json(file.with_name("config.json"), UnetConfig).multiple
    sides = USUAL_SIDE - multiple, USUAL_SIDE + multiple  # the hardest to halve of all that a UNet takes
    for _ in range(TRIES):
        compared = _compared(file, new, settings, limits, RUNS, sides)
        if not compared.agree:
            break
        if compared.time <= 1 - gain:
            new.replace(file)
            return more_mb
    new.unlink()
    return 0


def fuse_with_runtime(
    file: Path, settings: EngineSettings, limits: Limits, *, card: bool = True, gain: float = GAIN
) -> int:
    """Let the runtime's optimizer rewrite a graph; returns how many operators it fused.

    The graph stays as it is, and this is 0, unless the new one answers the same, keeps the names of its weights and is
    faster by this part.
    """
    new, data = file.with_name(NEW), file.with_name(FUSED_WEIGHTS)
    data.unlink(missing_ok=True)
    try:
        count = contained(file.parent, limits, fuse_for_cards, file, new, FUSED_WEIGHTS, card)
        compared = _compared(file, new, settings, limits, RUNS) if count else DIFFERENT
    except LibraryError:  # what the optimizer cannot read stays as it is
        count, compared = 0, DIFFERENT
    if not compared.agree or compared.time > 1 - gain or _weights(file) != _weights(new):
        new.unlink(missing_ok=True)
        data.unlink(missing_ok=True)
        return 0
    _replace(file, new)
    return count


def _replace(file: Path, new: Path) -> None:
    """All weights are in a file of their own now: those that the old graph read go."""
    old = onnx.load(str(file), load_external_data=False)
    locations = {entry.value for tensor in old.graph.initializer for entry in tensor.external_data}
    new.replace(file)
    kept = onnx.load(str(file), load_external_data=False)
    used = {entry.value for tensor in kept.graph.initializer for entry in tensor.external_data}
    for name in locations - used:
        (file.parent / name).unlink(missing_ok=True)


def _weights(file: Path) -> set[str]:
    """The modules whose weights a graph still shows."""
    return {found.module for found in module_weights(onnx.load(str(file), load_external_data=False).graph)}


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


@dataclass(frozen=True, slots=True)
class Compared:
    """Of a new graph: whether it answers as the old one did, and its time as a part of the old one's."""

    agree: bool
    time: float


DIFFERENT = Compared(False, math.inf)


def _compared(
    old: Path, new: Path, settings: EngineSettings, limits: Limits, runs: int = 1, sides: tuple[int, int] = SIDES
) -> Compared:
    """`runs`: of which the fastest counts. `sides`: of the latents that both are asked about."""
    try:
        return contained(old.parent, limits, _compare, old, new, settings, limits, runs, sides)
    except LibraryError:  # if it is the old one that cannot run, the trial will say so
        return DIFFERENT


def _compare(
    old: Path, new: Path, settings: EngineSettings, limits: Limits, runs: int, sides: tuple[int, int]
) -> Compared:
    """Both graphs on the same noise."""
    runtime = Runtime(settings)
    if runtime.report().provider == "cpu":
        limit_memory(limits)
    answers: list[Array] = []
    seconds: list[float] = []
    for file in (old, new):
        session = runtime.open(file)
        noise = _noise(session, sides)
        timed = [_timed(session, noise) for _ in range(runs)]
        answers.append(timed[0][0])
        seconds.append(min(spent for _, spent in timed))
        del session  # both together need not fit
    expected, made = (each.astype(np.float64) for each in answers)
    error = float(np.abs(made - expected).max() / max(float(np.abs(expected).max()), 1e-9))
    return Compared(error <= TOLERANCE[answers[0].dtype], seconds[1] / seconds[0])


def _timed(session: Session, feeds: Mapping[str, Array]) -> tuple[Array, float]:
    started = time.perf_counter()
    made = session.run(feeds)
    return made, time.perf_counter() - started


def _noise(session: Session, sides: tuple[int, int]) -> dict[str, Array]:
    """Values for every input of a part of an image model."""
    random = np.random.Generator(np.random.PCG64(0))
    made: dict[str, Array] = {}
    for name, tensor in session.inputs.items():
        if name == "timestep":
            made[name] = np.full([size or 1 for size in tensor.shape], STEP)
            continue
        usual = [2, TOKENS, 0] if len(tensor.shape) == 3 else [2, 0, *sides]
        shape = [size or usual[axis] for axis, size in enumerate(tensor.shape)]
        made[name] = random.standard_normal(shape)
    return made
