"""What a dialect is to the backend: the models that a program has, and how it does a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hordenode.engine.jobs import ImageJob, ImageResult, ModelInfo, Progress, TextJob, TextResult

Tell = Callable[[Progress], None]


class Texts(Protocol):
    """A program that writes. All of it runs on one event loop; cancelling a call stops the program's work too."""

    name: str

    async def models(self) -> list[ModelInfo]:
        """What it can run. Raises EngineError."""
        ...

    async def write(self, job: TextJob, tell: Tell) -> TextResult:
        """Do a job, whose `model` is the program's own name. Raises EngineError."""
        ...

    async def aclose(self) -> None: ...


class Pictures(Protocol):
    """A program that draws, likewise."""

    name: str

    async def models(self) -> list[ModelInfo]:
        """What it can run. Raises EngineError."""
        ...

    async def draw(self, job: ImageJob, tell: Tell) -> ImageResult:
        """Do a job, whose `model` is the program's own name. Raises EngineError."""
        ...

    async def aclose(self) -> None: ...
