"""Adds a model: fetch, recognise, convert or copy, try out in a child process, move into place, write the entry."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from hordenode.catalog import ImageModel, TextModel, load_catalog
from hordenode.config import EngineSettings
from hordenode.engine.files import size_mb
from hordenode.engine.runtime import Runtime
from hordenode.library.contained import Limits, limits_for
from hordenode.library.describe import described, digests
from hordenode.library.environment import image_python, require, run_tool
from hordenode.library.errors import LibraryError
from hordenode.library.form import IMAGES, READY, Form, Found
from hordenode.library.progress import Progress
from hordenode.library.shelf import Shelf
from hordenode.library.source import Fetched, Local, OnHub, place_files
from hordenode.library.trial import Outcome, try_out

TEXT_PRECISION = "int8"
FUSED = ("unet", "vae_decoder")


@dataclass(frozen=True, slots=True)
class Options:
    """How to add. Empty or None: found out, or the default. `plain`: leave image graphs as they were exported.

    `memory_mb`, `timeout_s`: of the first run.
    """

    name: str = ""
    subfolder: str = ""
    precision: str = ""
    baseline: str = ""
    like: Local | OnHub | None = None
    in_place: bool = False
    plain: bool = False
    export_python: Path | None = None
    make_environment: bool = False
    timeout_s: float = 600.0
    memory_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """A model that is there now. `notes`: what is worth knowing about it."""

    kind: str
    name: str
    path: Path
    outcome: Outcome
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    """What the steps of one addition share."""

    shelf: Shelf
    engine: EngineSettings
    options: Options
    progress: Progress
    folder: Path
    notes: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def built(self) -> Path:
        return self.folder / "built"

    def limits(self, folder: Path | None = None) -> Limits:
        """For runs of what is in `folder`, else in `built`."""
        known = limits_for(folder or self.built, self.options.timeout_s)
        return known if self.options.memory_mb is None else replace(known, memory_mb=self.options.memory_mb)


def add(shelf: Shelf, source: Local | OnHub, options: Options, engine: EngineSettings, progress: Progress) -> Added:
    """Add the model of `source`. Leaves nothing behind when it fails; what was downloaded when it is interrupted.

    Raises LibraryError, Interrupted, EngineError, CatalogError.
    """
    with shelf.incoming(source.key + options.subfolder, resumable=isinstance(source, OnHub)) as folder:
        work = _Work(shelf, engine, options, progress, folder)
        shutil.rmtree(work.built, ignore_errors=True)
        fetched = source.fetch(folder, options.subfolder, lambda found: _approve(work, source, found), progress)
        name = options.name or _name(source, fetched.found.kind)
        if fetched.pinned:
            work.values["source"] = fetched.pinned
        if options.in_place:
            return _register(work, fetched, name)
        try:
            _build(work, fetched)
            return _settle(work, fetched.found.kind, name)
        except LibraryError as error:  # which may name a file of a copy that will be gone
            raise type(error)(str(error).replace(str(work.built), str(fetched.folder))) from error


def _approve(work: _Work, source: Local | OnHub, found: Found) -> None:
    """Refuse before any large file moves what would fail afterwards."""
    options = work.options
    name = options.name or _name(source, found.kind)
    existing = work.shelf.own(found.kind, name)
    if existing is not None and existing.path.exists():
        raise LibraryError(f"there is a model '{name}' already. Remove it first, or choose another name with --name.")
    if options.precision and found.form is Form.GENAI:
        raise LibraryError(f"{found.form} holds converted weights already: --precision does not apply.")
    if options.precision == "int4" and found.form in IMAGES:
        raise LibraryError("image models are converted to fp32, fp16 or int8; int4 is for text models.")
    if options.in_place and (found.form not in READY or not isinstance(source, Local) or not source.path.is_dir()):
        raise LibraryError("--in-place is for a folder that needs no conversion: one of ONNX files on this machine.")
    if found.form in (Form.CHECKPOINT_TEXT, Form.OPTIMUM_TEXT):
        require("onnx", "safetensors", extra="export", purpose="converting a text model")
    if found.form is Form.SINGLE_FILE and options.like is None:
        raise LibraryError(
            "a single image checkpoint has no tokenizer and no sizes: name a diffusers folder or repository of the same "
            "family that lends them, as in --like hf:stable-diffusion-v1-5/stable-diffusion-v1-5@main"
        )
    if _needs_tool(found.form, options.precision):
        image_python(work.shelf.data_dir, options.export_python, options.make_environment, work.progress)


def _needs_tool(form: Form, precision: str) -> bool:
    return form in (Form.DIFFUSERS, Form.SINGLE_FILE) or (form is Form.ONNX_IMAGE and precision not in ("", "fp32"))


def _build(work: _Work, fetched: Fetched) -> None:
    """Make the folder that the engine loads."""
    form = fetched.found.form
    if form in (Form.CHECKPOINT_TEXT, Form.OPTIMUM_TEXT):
        _convert_text(work, fetched)
    elif _needs_tool(form, work.options.precision):
        _convert_image(work, fetched)
    else:
        place_files(fetched, work.built, work.progress, link=fetched.folder.is_relative_to(work.folder))
    if form in IMAGES:
        _fuse(work)
        _name_weights(work)


def _convert_text(work: _Work, fetched: Fetched) -> None:
    from hordenode.library.convert.text import convert_text

    precision = work.options.precision or load_catalog(work.shelf.data_dir).defaults.precision or TEXT_PRECISION
    made = convert_text(fetched.folder, work.built, precision, work.progress)
    work.values |= {"parameters": made.parameters, "context": made.context}
    found = made.agreement
    work.notes.append(
        f"{precision}: logits within {found.drift:.2g} of the checkpoint's (of their spread), the same likeliest token at "
        f"{100 * found.same:.0f} % of the positions{'; transformers agrees' if made.peer else ''}"
    )


def image_precision(provider: str) -> str:
    """What image models are converted to when nobody says: graphics cards are twice as fast in halves, processors slower."""
    return "fp32" if provider in ("cpu", "openvino") else "fp16"


def _convert_image(work: _Work, fetched: Fetched) -> None:
    options, source = work.options, fetched.folder
    python = image_python(work.shelf.data_dir, options.export_python, options.make_environment, work.progress)
    words = {Form.DIFFUSERS: "diffusers", Form.SINGLE_FILE: "single", Form.ONNX_IMAGE: "onnx"}
    precision = options.precision or image_precision(Runtime(work.engine).report().provider)
    arguments: list[str | Path] = [words[fetched.found.form], source, work.built, precision]
    if fetched.found.form is Form.SINGLE_FILE:
        arguments[1] = source / fetched.found.files[0]
        assert options.like is not None
        arguments.append(_lender(work, options.like))
    work.progress(f"converting to ONNX at {precision}")
    run_tool(python, arguments, source)


def _lender(work: _Work, like: Local | OnHub) -> Path:
    """The small files of a pipeline that lends them."""
    if isinstance(like, Local):
        return like.path
    target = work.folder / "like"
    for name in like.snapshot.files:
        if name.endswith((".json", ".txt")) and name.count("/") <= 1:
            like.hub.fetch(like.snapshot, name, target / name, work.progress)
    return target


def _fuse(work: _Work) -> None:
    """Faster forms of what the runtime has better operators for."""
    if work.options.plain or importlib.util.find_spec("onnx") is None:
        return
    from hordenode.library.convert.fuse import fuse

    provider, more_mb = Runtime(work.engine).report().provider, 0
    for part in FUSED:
        graph = work.built / part / "model.onnx"
        if graph.is_file():
            done = fuse(graph, provider, work.engine, work.limits(), work.progress)
            work.notes += [done.words] if done.words else []
            more_mb += done.more_mb
    if more_mb:
        work.values["vram_mb"] = size_mb(work.built) + more_mb


def _name_weights(work: _Work) -> None:
    try:
        require("onnx", extra="export", purpose="naming weights for LoRA")
    except LibraryError:
        work.notes.append("without the extra 'export' the weights were not named, so this model will take no LoRA")
        return
    from hordenode.library.convert.onnx_image import normalise

    normalise(work.built, work.progress)


def _register(work: _Work, fetched: Fetched, name: str) -> Added:
    """Leave the files where they are."""
    kind = fetched.found.kind
    outcome = _try(work, kind, name, fetched.folder)
    work.values |= {"path": str(fetched.folder), "sha256": digests(fetched.folder, work.progress)}
    work.shelf.register(kind, name, _kept(work.shelf, kind, name, work.values))
    return Added(kind, name, fetched.folder, outcome, tuple(work.notes))


def _settle(work: _Work, kind: str, name: str) -> Added:
    outcome = _try(work, kind, name, work.built)
    work.values["sha256"] = digests(work.built, work.progress)
    place = work.shelf.settle(kind, name, work.built, _kept(work.shelf, kind, name, work.values))
    return Added(kind, name, place, outcome, tuple(work.notes))


def _try(work: _Work, kind: str, name: str, folder: Path) -> Outcome:
    work.values = {**described(kind, folder, name, work.options.baseline), **work.values}
    known = {key: value for key, value in work.values.items() if key != "source"}
    members = {**known, "name": name, "path": folder}
    model = msgspec.convert(members, ImageModel) if kind == "image" else msgspec.convert(members, TextModel)
    work.progress("trying it out")
    return try_out(model, work.engine, work.limits(folder))


def _kept(shelf: Shelf, kind: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """New values under those that the user wrote in an entry that had no files yet."""
    entry = shelf.own(kind, name)
    if entry is None:
        return dict(values)
    defaults = {f: d.default for f, d in type(entry).__dataclass_fields__.items()}
    own = {key for key in values if key not in ("sha256", "source", "path") and getattr(entry, key) != defaults[key]}
    return {key: value for key, value in values.items() if key not in own}


def _name(source: Local | OnHub, kind: str) -> str:
    """Of an image model hordes know the last part alone."""
    return source.title.rpartition("/")[2] if kind == "image" else source.title
