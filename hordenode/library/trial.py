"""A model's first run, in a process of its own."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from hordenode.catalog import Catalog, ImageModel, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.jobs import ImageJob, ImageResult, Job, Result, TextJob, TextResult
from hordenode.library.contained import Limits, contained, limit_memory
from hordenode.library.errors import LibraryError

SIDE = 256
STEPS, TOKENS = 2, 16
PROMPT = "A red house by the sea"


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


def try_out(model: ImageModel | TextModel, settings: EngineSettings, limits: Limits) -> Outcome:
    """Load the model and let it draw or write a little. Raises LibraryError with what went wrong."""
    # A copy of the settings without the budget for all models together: this one is alone.
    return contained(model.path, limits, _run, model, replace(settings, memory_mb=0), limits)


def _run(model: ImageModel | TextModel, settings: EngineSettings, limits: Limits) -> Outcome:
    from hordenode.engine.onnx_backend import OnnxBackend

    logging.getLogger("hordenode.engine").setLevel(logging.ERROR)  # the rest advises to do what is being done here
    if isinstance(model, ImageModel):
        backend = OnnxBackend(Catalog(image={model.name: model}), settings)
        job: Job = _image_job(model)
    else:
        backend = OnnxBackend(Catalog(text={model.name: model}), settings)
        job = TextJob("trial", model.name, PROMPT, max_length=TOKENS, temperature=0.0)
    provider = backend.provider().provider
    if provider == "cpu":  # a GPU's driver maps far more than it uses
        limit_memory(limits)
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
