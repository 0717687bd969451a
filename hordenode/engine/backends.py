"""What an engine runs its jobs on: the protocol, the way to find one by name, and a fake that ships.

Other packages add theirs through the entry-point group `hordenode.engines`: name -> factory(catalog, settings).
The built-in ones stand in a table, so that they are found in a source tree that was never installed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.jobs import EngineError, Job, ModelInfo, Progress, ProviderReport, Result

GROUP = "hordenode.engines"
BUILT_IN = {
    "onnx": ("hordenode.engine.onnx_backend", "OnnxBackend"),
    "fake": ("hordenode.engine.fake", "fake_backend"),
}

Report = Callable[[Progress], None]


class EngineBackend(Protocol):
    """Runs jobs, one at a time, on the engine's thread. Only `models` and `provider` are called from other threads."""

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
