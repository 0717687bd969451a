"""What does the work behind the engine: the ONNX backend, or a fake one that ships for trials and tests.

Backends are found by name through the entry point group `hordenode.engines`, ours among them.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.jobs import (
    EngineError,
    ImageJob,
    ImageResult,
    Job,
    ModelInfo,
    Picture,
    Progress,
    ProviderReport,
    Result,
    TextJob,
    TextResult,
)

Report = Callable[[Progress], None]
GROUP = "hordenode.engines"
_BUILT_IN = {
    "onnx": "hordenode.engine.onnx_backend:OnnxBackend",
    "fake": "hordenode.engine.backends:FakeBackend",
}


class EngineBackend(Protocol):
    """Runs one job after the other on the engine's thread."""

    def models(self) -> tuple[ModelInfo, ...]:
        """What can run. Called on any thread, and cheap."""
        ...

    def run(self, job: Job, report: Report) -> Result:
        """Do the job. `report` is called after each step and raises JobCancelled when the job shall stop."""
        ...

    def provider(self) -> ProviderReport:
        """Where it runs."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


def make_backend(catalog: Catalog, settings: EngineSettings) -> EngineBackend:
    """The backend that the settings name. EngineError for an unknown name."""
    found = {point.name: point.value for point in entry_points(group=GROUP)} | _BUILT_IN
    if settings.backend not in found:
        raise EngineError(f"engine.backend: there is no '{settings.backend}'; known are {', '.join(sorted(found))}.")
    module, _, name = found[settings.backend].partition(":")
    backend: EngineBackend = getattr(import_module(module), name)(catalog, settings)
    return backend


class FakeBackend:
    """Instant and deterministic: colours and words drawn from prompt and seed, without a model.

    A prompt with the word `fail` fails. `step_seconds` makes each step take its time, or until the backend is closed.
    """

    STEPS = 4

    def __init__(self, catalog: Catalog, settings: EngineSettings, step_seconds: float = 0.0) -> None:
        self._step_seconds = step_seconds
        self._closed = threading.Event()
        self._models = (
            *(ModelInfo("image", name, baseline=model.baseline) for name, model in catalog.image.items()),
            *(ModelInfo("text", name, context=model.context) for name, model in catalog.text.items()),
        )

    def models(self) -> tuple[ModelInfo, ...]:
        return self._models

    def run(self, job: Job, report: Report) -> Result:
        if "fail" in job.prompt.split():
            raise EngineError("the prompt asked to fail")
        for step in range(1, self.STEPS + 1):
            if self._step_seconds:
                self._closed.wait(self._step_seconds)
            report(Progress(job.id, step, self.STEPS))
        return self._draw(job) if isinstance(job, ImageJob) else self._write(job)

    def provider(self) -> ProviderReport:
        return ProviderReport("fake", {})

    def close(self) -> None:
        self._closed.set()

    @staticmethod
    def _draw(job: ImageJob) -> ImageResult:
        def paint(seed: int) -> Picture:
            color = hashlib.sha256(f"{job.prompt}\0{seed}".encode()).digest()[:3]
            return Picture(job.width, job.height, color * (job.width * job.height), seed)

        return ImageResult(job.id, tuple(paint(seed) for seed in job.seeds))

    @staticmethod
    def _write(job: TextJob) -> TextResult:
        words = job.prompt.split() or ["nothing"]
        draw = random.Random(f"{job.prompt}\0{job.seed}")
        text = " " + " ".join(draw.choice(words) for _ in range(min(job.max_length, 20)))
        return TextResult(job.id, text, len(words), min(job.max_length, 20), "length", job.seed)
