"""Jobs, results and progress: plain picklable values, so that the engine could live in another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class EngineError(Exception):
    """The engine cannot do this job. The text is fit for the owner."""


class JobCancelled(EngineError):
    """The job was told to stop."""


class UnsupportedJob(EngineError):
    """The job asks for something that this engine does not have."""


class ModelNotFound(EngineError):
    """There is no such model."""


class ModelFileError(EngineError):
    """A model's file is missing or damaged; the text names it and says what to do."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem} Install the model again, or correct its entry in models.toml.")
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[ModelFileError], tuple[Path, str]]:
        return ModelFileError, (self.path, self.problem)


@dataclass(frozen=True, slots=True)
class ImageJob:
    """Pictures to draw: one per seed. Sizes in pixels; `priority`: lower numbers go first."""

    id: str
    model: str
    prompt: str
    negative_prompt: str = ""
    seeds: tuple[int, ...] = (0,)
    width: int = 512
    height: int = 512
    steps: int = 30
    cfg_scale: float = 5.0
    sampler: str = "k_euler_a"
    karras: bool = True
    priority: int = 0


@dataclass(frozen=True, slots=True)
class TextJob:
    """A text to continue. Lengths in tokens; temperature 0 always takes the likeliest token; 0 turns top_k off."""

    id: str
    model: str
    prompt: str
    max_length: int = 80
    max_context_length: int = 2048
    seed: int = 0
    temperature: float = 0.7
    top_k: int = 0
    top_p: float = 0.95
    min_p: float = 0.0
    rep_pen: float = 1.05
    rep_pen_range: int = 256
    stop_sequences: tuple[str, ...] = ()
    priority: int = 0


Job = ImageJob | TextJob


@dataclass(frozen=True, slots=True)
class Picture:
    """rgb: height x width x 3 bytes, row by row."""

    width: int
    height: int
    rgb: bytes
    seed: int


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One picture per seed of the job, in the same order."""

    id: str
    images: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class TextResult:
    """finish_reason: `length`, `stop` (a stop sequence) or `end` (the model's own end)."""

    id: str
    text: str
    prompt_tokens: int
    tokens: int
    finish_reason: str
    seed: int


Result = ImageResult | TextResult


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` of `steps` are done; `text` is what a text job wrote since the last report."""

    id: str
    step: int
    steps: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can run. context in tokens, 0 for pictures; baseline is empty for texts."""

    kind: str
    name: str
    baseline: str = ""
    context: int = 0


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Where the engine runs. `refused`: provider to the reason that it is not used."""

    in_use: str
    refused: dict[str, str]
