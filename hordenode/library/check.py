"""Checks models that are there: digests, then a run in a child process with a stopwatch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hordenode.catalog import AnyModel, ImageModel, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.files import verify
from hordenode.engine.jobs import EngineError
from hordenode.library.contained import limits_for
from hordenode.library.errors import LibraryError
from hordenode.library.progress import Progress
from hordenode.library.trial import try_out


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one model. `words`: how it runs, or what is wrong and what to do."""

    kind: str
    name: str
    ok: bool
    words: str


def check(
    kind: str,
    model: AnyModel,
    engine: EngineSettings,
    progress: Progress,
    timeout_s: float,
    memory_mb: int | None = None,
) -> Verdict:
    """Verify the digests and try the model out."""
    if not model.path.is_dir():
        remedy = f"`hordenode models add {model.source} --name '{model.name}'` fetches it" if model.source else (
            "restore the folder, or remove the entry"
        )  # fmt: skip
        return Verdict(kind, model.name, False, f"{model.path} is missing: {remedy}")
    try:
        if model.sha256:
            progress(f"verifying {model.name}")
            verify(model.path, model.sha256)
        if not isinstance(model, ImageModel | TextModel):
            state = "whole" if model.sha256 else "there"
            return Verdict(kind, model.name, True, f"the files are {state}; models of this kind are not tried out")
        limits = limits_for(model.path, timeout_s)
        if memory_mb is not None:
            limits = replace(limits, memory_mb=memory_mb)
        progress(f"trying out {model.name}")
        outcome = try_out(model, engine, limits)
    except (LibraryError, EngineError) as error:
        return Verdict(kind, model.name, False, str(error))
    unpinned = "" if model.sha256 else "; not verified, as models.toml has no sha256 for it"
    return Verdict(kind, model.name, True, f"{outcome}{unpinned}")
