"""A model's first run, in a process of its own: a hostile or damaged graph may crash, hang or eat all memory there."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from hordenode.catalog import Catalog, ImageModel, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.jobs import EngineError, ImageJob, ImageResult, Job, Result, TextJob, TextResult
from hordenode.library.errors import LibraryError

MB = 2**20
SPARE_MB = 2048
TIMEOUT_S = 600.0
SIDE = 256
STEPS, TOKENS = 2, 16
PROMPT = "A red house by the sea"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may take. `memory_mb` beside what the interpreter needs; 0 = no limit. Only Linux enforces memory."""

    seconds: float = TIMEOUT_S
    memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial that went well. `count`: steps of a picture, tokens of a text, done in `run_s` seconds."""

    provider: str
    load_s: float
    run_s: float
    count: int
    unit: str

    def __str__(self) -> str:
        speed = f"{self.count / self.run_s:.1f} {self.unit}/s" if self.run_s else ""
        return f"runs on {self.provider}; loaded in {self.load_s:.1f} s, {speed}"


def limits_for(folder: Path, seconds: float = TIMEOUT_S) -> Limits:
    """Generous for an honest model of this size: weights, a second copy in the kernels' order, activations."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Limits(seconds, SPARE_MB + 4 * (size // MB))


def try_out(model: ImageModel | TextModel, settings: EngineSettings, limits: Limits) -> Outcome:
    """Load the model and let it draw or write a little. Raises LibraryError with what went wrong."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    # A copy of the settings without the budget for all models together: this one is alone.
    process = context.Process(target=_child, args=(theirs, model, replace(settings, memory_mb=0), limits), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(limits.seconds):
            raise LibraryError(
                f"{model.path}: did not finish loading and one short run in {limits.seconds:.0f} s. It is too large for "
                "this machine, or made to hang; --timeout gives it longer."
            )
        answer: Outcome | str = ours.recv()
    except EOFError:
        process.join()
        raise LibraryError(_death(model.path, process.exitcode, limits)) from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, str):
        raise LibraryError(answer)
    return answer


def _death(folder: Path, code: int | None, limits: Limits) -> str:
    how = f"status {code}"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    memory = f" It was allowed {limits.memory_mb} MB; --memory-mb allows more." if limits.memory_mb else ""
    return f"{folder}: crashed the runtime that tried to load it ({how}). It is damaged, or made to do so.{memory}"


def _child(answers: Connection, model: ImageModel | TextModel, settings: EngineSettings, limits: Limits) -> None:
    """Runs in the process of its own."""
    try:
        answers.send(_run(model, settings, limits))
    except (EngineError, LibraryError) as error:
        answers.send(str(error))
    except MemoryError:
        answers.send(f"{model.path}: needs more than {limits.memory_mb} MB to run. --memory-mb allows more.")
    except Exception as error:  # a pipeline fed with nonsense may fail in any way
        answers.send(
            f"{model.path}: cannot be run ({type(error).__name__}: {error}). It is not what its files say it is."
        )
    finally:
        answers.close()


def _run(model: ImageModel | TextModel, settings: EngineSettings, limits: Limits) -> Outcome:
    from hordenode.engine.onnx_backend import OnnxBackend

    if isinstance(model, ImageModel):
        backend = OnnxBackend(Catalog(image={model.name: model}), settings)
        job: Job = _image_job(model)
    else:
        backend = OnnxBackend(Catalog(text={model.name: model}), settings)
        job = TextJob("trial", model.name, PROMPT, max_length=TOKENS, temperature=0.0)
    provider = backend.provider().provider
    if provider == "cpu":  # a GPU's driver maps far more than it uses
        _limit_memory(limits.memory_mb)
    if isinstance(model, TextModel):
        _check_logits(model)
    started = time.monotonic()
    backend.run(job, lambda progress: None)
    loaded = time.monotonic()
    made = backend.run(job, lambda progress: None)
    run_s = time.monotonic() - loaded
    backend.close()
    count = _check_result(model, made)
    unit = "steps" if isinstance(made, ImageResult) else "tokens"
    return Outcome(provider, max(loaded - started - run_s, 0.0), run_s, count, unit)


def _image_job(model: ImageModel) -> ImageJob:
    side = max(SIDE, math.isqrt(model.min_pixels) // 64 * 64)
    return ImageJob("trial", model.name, PROMPT, width=side, height=side, steps=STEPS, sampler="k_euler")


def _check_logits(model: TextModel) -> None:
    """Whether the graph answers to each token of a prompt, with numbers. Raises LibraryError, EngineError."""
    from hordenode.engine.tokenizer import open_tokenizer
    from hordenode.library.logits import graph_logits

    tokens = open_tokenizer(model.path).encode(PROMPT).ids
    logits = graph_logits(model.path, tokens)
    if logits.shape[0] != len(tokens) or logits.shape[1] <= max(tokens):
        raise LibraryError(
            f"{model.path}: answers in the shape {logits.shape} to {len(tokens)} tokens up to number {max(tokens)}. "
            "Graph and tokenizer are not of one model."
        )
    if not np.isfinite(logits).all():
        raise LibraryError(
            f"{model.path}: answers with what are no numbers. Its weights are damaged, or fp16 is too small."
        )


def _check_result(model: ImageModel | TextModel, made: Result) -> int:
    """Steps or tokens done. Raises LibraryError for a picture of one colour, which is what weights of NaN draw."""
    if isinstance(made, TextResult):
        return max(made.tokens, 1)
    assert isinstance(made, ImageResult)
    if min(made.images[0].rgb) == max(made.images[0].rgb):
        raise LibraryError(
            f"{model.path}: draws one colour alone. Its weights are damaged, or fp16 is too small for it."
        )
    return STEPS


def _limit_memory(megabytes: int) -> None:
    """Limit what this process may write to, where the platform can."""
    if not megabytes or sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MB, megabytes * MB))
