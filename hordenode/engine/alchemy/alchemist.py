"""All forms in one place: those that need no model, and those that models.toml names one for.

A tool is anything that turns a picture and options into what a form answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from hordenode.catalog import AlchemyModel, SafetyModel
from hordenode.engine.alchemy.background import Background
from hordenode.engine.alchemy.captioner import Captioner
from hordenode.engine.alchemy.describe import describe
from hordenode.engine.alchemy.interrogator import Interrogator
from hordenode.engine.alchemy.nsfw import Nsfw
from hordenode.engine.alchemy.options import Options
from hordenode.engine.alchemy.palette import palette
from hordenode.engine.alchemy.restorer import Restorer
from hordenode.engine.alchemy.scorer import Scorer
from hordenode.engine.alchemy.upscaler import Upscaler
from hordenode.engine.alchemy.vectorize import vectorize
from hordenode.engine.image.safety import Safety
from hordenode.engine.image.sources import read_picture
from hordenode.engine.jobs import AlchemyJob, AlchemyResult, Picture, Progress
from hordenode.engine.runtime import Runtime

StepDone = Callable[[int, int], None]  # (step, of how many)


class Tool(Protocol):
    """A loaded form."""

    def apply(self, image: Image.Image, options: Options, done: StepDone) -> Any:
        """A value for JSON, or a picture. `done` is told of each step; what it raises ends the work."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A form that is a function."""

    function: Callable[[Image.Image, Options], Any]

    def apply(self, image: Image.Image, options: Options, done: StepDone) -> Any:
        made = self.function(image, options)
        done(1, 1)
        return made


WITHOUT_MODEL: dict[str, Tool] = {
    "palette": Plain(palette),
    "describe": Plain(describe),
    "vectorize": Plain(vectorize),
}
_OF_FORM: dict[str, Callable[[AlchemyModel, Runtime], Tool]] = {
    "caption": Captioner,
    "interrogation": Interrogator,
    "nsfw": lambda model, runtime: Nsfw(Safety(SafetyModel(path=model.path), runtime)),
    "aesthetic": Scorer,
    "strip_background": Background,
    "GFPGAN": Restorer,
    "GFPGANv1.3": Restorer,
    "CodeFormers": Restorer,
    "RestoreFormer": Restorer,
}


def load_tool(model: AlchemyModel, runtime: Runtime) -> Tool:
    """The tool of a model; every other form is an upscaler. Raises ModelFileError."""
    return _OF_FORM.get(model.form, Upscaler)(model, runtime)


def work(job: AlchemyJob, tool: Tool, report: Callable[[Progress], None]) -> AlchemyResult:
    """Do a job with its tool. Raises BadPicture, what the tool raises, and what `report` raises."""
    image = read_picture(job.image, "source image")
    made = tool.apply(image, job.options, lambda step, steps: report(Progress(job.id, step, steps)))
    if isinstance(made, Image.Image):
        return AlchemyResult(job.id, picture=_picture(made))
    return AlchemyResult(job.id, value=made)


def _picture(image: Image.Image) -> Picture:
    alpha = image.getchannel("A").tobytes() if image.mode == "RGBA" else b""
    return Picture(image.width, image.height, image.convert("RGB").tobytes(), seed=0, alpha=alpha)
