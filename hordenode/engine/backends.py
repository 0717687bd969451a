"""What an engine runs its jobs on: the protocol, the way to find one by name, and a fake that ships.

Other packages add theirs through the entry-point group `hordenode.engines`: name -> factory(catalog, settings).
The built-in ones stand in a table, so that they are found in a source tree that was never installed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.jobs import EngineError, Job, ModelInfo, Progress, ProviderReport, Result, TextJob

GROUP = "hordenode.engines"
BUILT_IN = {
    "onnx": ("hordenode.engine.onnx_backend", "OnnxBackend"),
    "fake": ("hordenode.engine.fake", "fake_backend"),
    "openai": ("hordenode.engine.remote.backend", "openai_backend"),
    "kobold": ("hordenode.engine.remote.backend", "kobold_backend"),
    "a1111": ("hordenode.engine.remote.backend", "a1111_backend"),
}

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A job of a batch that ended with an error."""

    id: str
    error: Exception


Outcome = Progress | Result | Failure


class Batches(Protocol):
    """Texts that are written side by side, on a thread of their own."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        ...

    def prepare(self, job: TextJob) -> TextJob:
        """The job with a prompt in place of its messages. On any thread. Raises EngineError."""
        ...

    def add(self, job: TextJob) -> None:
        """Take a job in with the next step."""
        ...

    def drop(self, job_id: str) -> None:
        """Forget a job, if it is there."""
        ...

    def step(self) -> list[Outcome]:
        """Do a step of all; what came of it, for each job in order. Raises nothing but what ends the program."""
        ...


@runtime_checkable
class HasBatches(Protocol):
    """A backend that writes texts side by side; to others all jobs come through `run`."""

    @property
    def texts(self) -> Batches: ...


class EngineBackend(Protocol):
    """Runs jobs, one at a time, on the engine's thread. Only `models` and `provider` are called from other threads.

    Forms of alchemy have a thread of their own, so `run` may be busy with one while it is called for another job. A
    backend that also HasBatches gets its text jobs there, on a third thread.
    """

    def models(self) -> tuple[ModelInfo, ...]:
        """What can run."""
        ...

    def provider(self) -> ProviderReport:
        """Where it runs."""
        ...

    def warm(self) -> None:
        """Load what should be ready before the first job. Raises EngineError."""
        ...

    def run(self, job: Job, report: Report) -> Result:
        """Do a job, calling `report` after each step; what `report` raises ends the job. Raises EngineError."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


Factory = Callable[[Catalog, EngineSettings], EngineBackend]


class UnknownBackend(EngineError):
    """No backend of the configured name."""


def load_backend(name: str, catalog: Catalog, settings: EngineSettings) -> EngineBackend:
    """The backend called `name`. Raises UnknownBackend."""
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        factory: Factory = getattr(import_module(module), attribute)
        return factory(catalog, settings)
    plugins = {point.name: point for point in entry_points(group=GROUP)}
    if name not in plugins:
        known = sorted({*BUILT_IN, *plugins})
        near = difflib.get_close_matches(name, known, 1) or known
        raise UnknownBackend(f"engine.backend: there is no engine '{name}'; did you mean {' or '.join(near)}?")
    factory = plugins[name].load()
    return factory(catalog, settings)
