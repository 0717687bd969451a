"""An engine without a model: instant, deterministic, for trying a horde out and for testing it."""

from __future__ import annotations

import hashlib
import time

from PIL import Image

from hordenode.catalog import FORMS, UPSCALERS, Catalog
from hordenode.config import EngineSettings
from hordenode.engine.alchemy.alchemist import WITHOUT_MODEL, Plain, Tool, work
from hordenode.engine.alchemy.interrogator import LISTS
from hordenode.engine.alchemy.options import Options
from hordenode.engine.alchemy.upscaler import factor_of
from hordenode.engine.backends import Report
from hordenode.engine.jobs import (
    AlchemyJob,
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

MODELS = (ModelInfo("image", "fake image"), ModelInfo("text", "fake text", context=2048))
WORDS = "a the one small old bright river stone lamp garden sings waits turns and then slowly".split()


class FakeFailure(EngineError):
    """The prompt holds the word on which this engine was told to fail."""


class FakeBackend:
    """Pictures are two colours and texts are words, both drawn from model, prompt and seed.

    `seconds`: how long each job takes; `fail_on`: a word in a prompt that makes its job fail.
    """

    def __init__(
        self, models: tuple[ModelInfo, ...] = MODELS, *, seconds: float = 0.0, fail_on: str | None = None
    ) -> None:
        self._models = models
        self._seconds = seconds
        self._fail_on = fail_on

    def models(self) -> tuple[ModelInfo, ...]:
        return self._models

    def provider(self) -> ProviderReport:
        return ProviderReport("fake", 1)

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass

    def run(self, job: Job, report: Report) -> Result:
        """See EngineBackend. Raises FakeFailure when it was told to fail on this prompt."""
        words = job.form if isinstance(job, AlchemyJob) else job.prompt
        if self._fail_on is not None and self._fail_on in words:
            raise FakeFailure(f"The fake engine fails on '{self._fail_on}', as told.")
        if isinstance(job, AlchemyJob):
            self._work(1)
            return work(job, _tool(job.form), report)
        return self._draw(job, report) if isinstance(job, ImageJob) else self._write(job, report)

    def _draw(self, job: ImageJob, report: Report) -> ImageResult:
        for step in range(1, job.steps + 1):
            self._work(job.steps)
            report(Progress(job.id, step, job.steps))
        return ImageResult(job.id, tuple(_two_colours(job, seed) for seed in job.seeds))

    def _write(self, job: TextJob, report: Report) -> TextResult:
        digest = _digest(job, job.seed)
        text = ""
        for step in range(1, job.max_length + 1):
            self._work(job.max_length)
            word = WORDS[digest[step % len(digest)] % len(WORDS)]
            text += f" {word}"
            report(Progress(job.id, step, job.max_length, f" {word}"))
        return TextResult(job.id, text, len(job.prompt.split()), job.max_length, "length", job.seed)

    def _work(self, steps: int) -> None:
        if self._seconds:
            time.sleep(self._seconds / steps)


def fake_backend(catalog: Catalog, settings: EngineSettings) -> FakeBackend:
    """The fake under the names of the catalog's models, so that clients need not know."""
    image = [ModelInfo("image", name, model.baseline) for name, model in catalog.image.items()]
    text = [
        ModelInfo("text", name, context=model.context, parameters=model.parameters)
        for name, model in catalog.text.items()
    ]
    return FakeBackend((*image, *text, *(ModelInfo("alchemy", form) for form in FORMS)))


def _tool(form: str) -> Tool:
    """Forms that need no model are the real ones."""
    answers: dict[str, object] = {
        "caption": "a picture",
        "interrogation": {name: [] for name in LISTS} | {"tags": [{"text": "picture", "confidence": 100.0}]},
        "nsfw": False,
        "aesthetic": 5.0,
    }

    def answer(image: Image.Image, options: Options) -> object:
        if form in answers:
            return answers[form]
        factor = factor_of(form) if form in UPSCALERS else 1
        return image.resize((image.width * factor, image.height * factor))

    return WITHOUT_MODEL.get(form, Plain(answer))


def _digest(job: ImageJob | TextJob, seed: int) -> bytes:
    return hashlib.sha256(f"{job.model}\0{job.prompt}\0{seed}".encode()).digest()


def _two_colours(job: ImageJob, seed: int) -> Picture:
    """The upper half in one colour, the lower in another."""
    digest = _digest(job, seed)
    upper = job.height // 2
    rgb = digest[:3] * (job.width * upper) + digest[3:6] * (job.width * (job.height - upper))
    return Picture(job.width, job.height, rgb, seed)
