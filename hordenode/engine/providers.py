"""What a computer can generate on: the provider that works out of those that the settings want.

ONNX Runtime answers a request for CUDA that it cannot serve by logging errors and using the CPU. So a graph of one
operator is tried first, with the log off, and what the runtime then says it uses is believed.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from dataclasses import dataclass
from typing import Any

from hordenode.engine.jobs import EngineError, ProviderReport

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
NVIDIA = ("tensorrt", "cuda")
# Read, not measured: the default convolution search tries every algorithm for each new size; TensorRT builds an engine
# per size, which takes minutes, so it keeps what it built.
OPTIONS: dict[str, dict[str, str]] = {
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC"},
    "tensorrt": {"trt_fp16_enable": "1", "trt_engine_cache_enable": "1"},
}
MISSING = {
    "tensorrt": "the TensorRT libraries were not found",
    "cuda": "the CUDA and cuDNN libraries were not found; the package extra 'cuda' installs them",
}
FATAL = 4

# y = -x, one float: an ONNX model small enough to stand here.
_PROBE = (
    b'\x08\x08:2\n\x0b\n\x01x\x12\x01y"\x03Neg\x12\x01g'
    b"Z\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider to use: our name, the runtime's name, its options."""

    name: str
    runtime_name: str
    options: dict[str, str]


def choose(ort: Any, wanted: tuple[str, ...], threads: int) -> tuple[Choice, ProviderReport]:
    """The first of `wanted` that works, and why those before it do not. Raises EngineError when none does."""
    refused: list[tuple[str, str]] = []
    for name in wanted:
        if name not in PROVIDERS:
            raise EngineError(f"engine.providers: unknown provider '{name}'; known are {', '.join(PROVIDERS)}.")
        trouble = _trouble(ort, name)
        if trouble is None:
            choice = Choice(name, PROVIDERS[name], OPTIONS.get(name, {}))
            return choice, ProviderReport(name, threads, tuple(refused))
        refused.append((name, trouble))
    reasons = "; ".join(f"{name}: {why}" for name, why in refused) or "the list is empty"
    raise EngineError(f"engine.providers: none of them works here ({reasons}). Add 'cpu'.")


def survey(ort: Any, wanted: tuple[str, ...], report: ProviderReport) -> tuple[tuple[str, str], ...]:
    """Every known provider that is not in use, with the reason."""
    known, found = dict(report.refused), []
    for name in PROVIDERS:
        if name == report.provider:
            continue
        reason = known.get(name) or _trouble(ort, name)
        if reason is None:
            where = f"comes after {report.provider}" if name in wanted else "is not"
            reason = f"it works here, but {where} in engine.providers"
        found.append((name, reason))
    return tuple(found)


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _trouble(ort: Any, name: str) -> str | None:
    """Why a provider cannot be used; None when it can."""
    if PROVIDERS[name] not in ort.get_available_providers():
        return f"this build of ONNX Runtime has no {PROVIDERS[name]}"
    if name == "cpu":
        return None
    if name in NVIDIA:
        if not _loads("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"):
            return "no NVIDIA driver was found"
        _preload(ort)
    return _probe(ort, name)


def _preload(ort: Any) -> None:
    """Load the libraries that the package extra brought."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        ort.preload_dlls()


def _probe(ort: Any, name: str) -> str | None:
    """Run nothing, but ask which provider a session really got."""
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    try:
        session = ort.InferenceSession(_PROBE, options, providers=[PROVIDERS[name], PROVIDERS["cpu"]])
    except Exception as error:  # the runtime's exceptions have no base class of their own
        return f"it does not start ({str(error).splitlines()[0]})"
    if PROVIDERS[name] in session.get_providers():
        return None
    return MISSING.get(name, "no device for it was found")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
