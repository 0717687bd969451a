"""The engine that ships: image and text pipelines on ONNX Runtime, loaded when they are needed."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from PIL import Image

from hordenode.catalog import PACKAGE, AlchemyModel, Catalog, ImageModel, SafetyModel, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.alchemy.alchemist import WITHOUT_MODEL, Tool, load_tool, work
from hordenode.engine.alchemy.nsfw import Nsfw
from hordenode.engine.alchemy.upscaler import Upscaler
from hordenode.engine.backends import Report
from hordenode.engine.files import size_mb, verify
from hordenode.engine.image.finish import Enlarge, Pixels
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.image.safety import Safety
from hordenode.engine.jobs import (
    AlchemyJob,
    EngineError,
    ImageJob,
    ImageResult,
    Job,
    ModelInfo,
    ProviderReport,
    Result,
    TextJob,
    UnknownModel,
)
from hordenode.engine.memory import available_mb
from hordenode.engine.residency import Residency
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.batches import TextBatches
from hordenode.engine.text.chat import Chats
from hordenode.engine.text.layout import cache_mb
from hordenode.engine.text.pipeline import TextPipeline

log = logging.getLogger("hordenode.engine")

Model = ImageModel | TextModel | AlchemyModel
Pipeline = ImagePipeline | TextPipeline | Safety | Tool
M = TypeVar("M", ImageModel, TextModel)


class OnnxBackend:
    """Runs what the catalog names and the disk holds. See EngineBackend."""

    def __init__(self, catalog: Catalog, settings: EngineSettings) -> None:
        self._runtime = Runtime(settings)
        self._residency: Residency[Pipeline] = Residency(settings.memory_mb, self._free_mb)
        self._image = {name: model for name, model in catalog.image.items() if _is_there(model)}
        self._safety_model = next(iter(catalog.safety.values()), None)
        self._text = {name: model for name, model in catalog.text.items() if _is_there(model)}
        self._alchemy = {name: model for name, model in catalog.alchemy.items() if _is_there(model)}
        self._forms = {model.form: model for model in self._alchemy.values()}
        self._loading = threading.Lock()  # images, texts and forms run on a thread each
        self._chats = Chats()
        self.texts = TextBatches(self._text_pipeline, self._prepared)

    def models(self) -> tuple[ModelInfo, ...]:
        image = [
            ModelInfo("image", name, model.baseline, sources=(model.path / "vae_encoder").is_dir())
            for name, model in self._image.items()
        ]
        text = [
            ModelInfo("text", name, context=model.context, parameters=model.parameters, max_batch=model.max_batch)
            for name, model in self._text.items()
        ]
        checks = {"nsfw"} if self._safety_model is not None else set()
        known = sorted({*WITHOUT_MODEL, *self._forms, *checks})
        at_home = {form for form, model in self._forms.items() if not model.abroad}
        forms = [ModelInfo("alchemy", form, abroad=form not in at_home) for form in known]
        return (*image, *text, *forms)

    def provider(self) -> ProviderReport:
        return self._runtime.report()

    def warm(self) -> None:
        """Load the pinned models. One that cannot be loaded is logged: its jobs will fail with the same words."""
        models: list[Model] = [*self._image.values(), *self._text.values(), *self._forms.values()]
        for model in models:
            if model.residency == "pinned":
                try:
                    self._pipeline(model)
                except EngineError as error:
                    log.error("'%s' could not be loaded: %s", model.name, error)

    def run(self, job: Job, report: Report) -> Result:
        if isinstance(job, AlchemyJob):
            return work(job, self._tool(job.form), report)
        if isinstance(job, ImageJob):
            model = _find(self._image, job)
            pipeline = self._pipeline(model)
            assert isinstance(pipeline, ImagePipeline)
            self._residency.reserve(f"image {model.name}", pipeline.estimate_mb(job))
            return self._checked(job, pipeline.draw(job, report))
        return self._text_pipeline(job).write(self._prepared(job), report)

    def close(self) -> None:
        self._residency.clear()
        self._chats.close()

    def _checked(self, job: ImageJob, made: ImageResult) -> ImageResult:
        """With the verdict of the safety model, where there is one."""
        if self._safety_model is None:
            return made
        safety = self._loaded_safety(self._safety_model)
        images = tuple(safety.checked(picture, censor=job.censor_nsfw) for picture in made.images)
        return ImageResult(made.id, images)

    def _loaded_safety(self, model: SafetyModel) -> Safety:
        """Counted in the budget like any other model. Raises OverBudget, ModelFileError."""

        def load() -> Safety:
            verify(model.path, model.sha256)
            return Safety(model, self._runtime)

        size, pinned = model.vram_mb or size_mb(model.path), model.residency == "pinned"
        with self._loading:
            safety = self._residency.get(f"safety {model.name}", size, load, pinned=pinned)
        assert isinstance(safety, Safety)
        return safety

    def _tool(self, form: str) -> Tool:
        """What does a form. Raises UnknownModel, saying how to install one."""
        if form in self._forms:
            tool = self._pipeline(self._forms[form])
            assert not isinstance(tool, (ImagePipeline, TextPipeline, Safety))
            return tool
        if form in WITHOUT_MODEL:
            return WITHOUT_MODEL[form]
        if form == "nsfw" and self._safety_model is not None:
            return Nsfw(self._loaded_safety(self._safety_model))
        raise UnknownModel(
            f"No model for '{form}' is installed on this node. Name one in models.toml, as [alchemy.\"{form}\"]."
        )

    def _free_mb(self) -> int | None:
        """Of main memory; that of a GPU is only known to its driver."""
        return available_mb() if self._runtime.report().provider == "cpu" else None

    def _prepared(self, job: TextJob) -> TextJob:
        if not job.messages:
            return job
        model = _find(self._text, job)
        return replace(job, prompt=self._chats.prompt(model.name, model.path, job.messages))

    def _text_pipeline(self, job: TextJob) -> TextPipeline:
        pipeline = self._pipeline(_find(self._text, job))
        assert isinstance(pipeline, TextPipeline)
        return pipeline

    def _pipeline(self, model: Model) -> Pipeline:
        kind = "image" if isinstance(model, ImageModel) else "text" if isinstance(model, TextModel) else "alchemy"
        name = f"{kind} {model.name}"
        with self._loading:
            found = self._residency.find(name)
            if found is not None:
                return found
            size, slots = model.vram_mb or size_mb(model.path), 0
            if isinstance(model, TextModel):
                slots, cache = self._slots(model, size)
                size += cache
            return self._residency.get(name, size, lambda: self._load(model, slots), pinned=model.residency == "pinned")

    def _slots(self, model: TextModel, size: int) -> tuple[int, int]:
        """How many texts side by side, and MB for their keys and values: where memory is short rather fewer than none."""
        known, slots = self._residency.room_mb(), model.max_batch
        room = math.inf if known is None else known
        while (cache := cache_mb(model.path, slots, model.context)) + size > room and slots > 1:
            slots //= 2
        return slots, cache

    def _load(self, model: Model, slots: int) -> Pipeline:
        started = time.monotonic()
        verify(model.path, model.sha256)
        if not model.sha256 and not model.path.is_relative_to(PACKAGE):
            log.warning("'%s' was added by hand: `hordenode models check` tries it where it can do no harm", model.name)
        if isinstance(model, ImageModel):
            pipeline: Pipeline = ImagePipeline(model, self._runtime, self._enlarge(model))
        elif isinstance(model, TextModel):
            pipeline = TextPipeline(model, self._runtime, slots)
        else:
            pipeline = load_tool(model, self._runtime)
        log.info("loaded '%s' in %.1f s", model.name, time.monotonic() - started)
        return pipeline

    def _enlarge(self, model: ImageModel) -> Enlarge | None:
        """What the upscaler of a model does, which loads when it is first needed."""
        entry = self._alchemy.get(model.upscaler)
        if entry is None:
            return None

        def enlarge(pixels: Pixels, alive: Callable[[], None]) -> Pixels:
            tool = self._pipeline(entry)
            assert isinstance(tool, Upscaler)  # the catalog refuses others
            return np.asarray(tool.apply(Image.fromarray(pixels), {}, lambda step, steps: alive()))

        return enlarge


def _find(models: Mapping[str, M], job: ImageJob | TextJob) -> M:
    if job.model not in models:
        known = ", ".join(models) or "none"
        raise UnknownModel(f"The engine has no model '{job.model}' for this; it has: {known}.")
    return models[job.model]


def _is_there(model: Model) -> bool:
    """Whether the folder exists: a model that is not on this disk is not offered."""
    if model.path.is_dir():
        return True
    log.warning("'%s' is left out: the folder %s does not exist", model.name, model.path)
    return False
