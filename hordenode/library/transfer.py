"""Models in one archive, for machines without internet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from hordenode.catalog import KINDS, AnyModel, ImageModel, TextModel
from hordenode.config import EngineSettings
from hordenode.library.archive import extract, pack
from hordenode.library.contained import limits_for
from hordenode.library.describe import digests
from hordenode.library.errors import LibraryError
from hordenode.library.paths import safe_names
from hordenode.library.progress import Progress
from hordenode.library.shelf import Shelf
from hordenode.library.trial import try_out

MANIFEST = "hordenode-models.json"
VERSION = 1


class Carried(msgspec.Struct, frozen=True):
    """A model in an archive. `entry`: as models.toml has it, without path; `files`: SHA-256 by name below `folder`."""

    kind: Literal["image", "text", "safety", "alchemy"]
    name: str
    folder: str
    entry: dict[str, Any]
    files: dict[str, str]


class Manifest(msgspec.Struct, frozen=True):
    """The first file of an archive."""

    version: int
    models: list[Carried]


def export(models: Sequence[tuple[str, AnyModel]], archive: Path, progress: Progress) -> None:
    """Write one archive of (kind, model). Leaves no half archive behind. Raises LibraryError."""
    carried: list[Carried] = []
    files: dict[str, Path | bytes] = {}
    for kind, model in models:
        if not model.path.is_dir():
            raise LibraryError(f"{model.path}: is missing, so '{model.name}' cannot be exported.")
        found = digests(model.path, progress)
        damaged = [name for name, digest in model.sha256.items() if found.get(name) != digest]
        if damaged:
            raise LibraryError(
                f"{model.path / damaged[0]}: differs from what models.toml says. Restore the model first."
            )
        folder = f"models/{len(carried)}"
        carried.append(Carried(kind, model.name, folder, _entry(model), found))  # type: ignore[arg-type]
        files.update({f"{folder}/{name}": model.path / name for name in found})
    manifest = msgspec.json.format(msgspec.json.encode(Manifest(VERSION, carried)))
    partial = archive.with_name(f"{archive.name}.part")
    try:
        pack(partial, {MANIFEST: manifest, **files}, progress)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def import_archive(shelf: Shelf, archive: Path, engine: EngineSettings, progress: Progress) -> list[tuple[str, str]]:
    """Add the models of an archive, each verified and tried out; returns (kind, name). Raises LibraryError.

    All of them are fit before the first is added.
    """
    with shelf.incoming(str(archive.absolute()), resumable=False) as work:
        extract(archive, work / "files", progress)
        manifest = _read_manifest(archive, work / "files")
        for model in manifest.models:
            _verify(shelf, archive, work / "files", model, progress)
        for model in manifest.models:
            _try(archive, work / "files" / model.folder, model, engine, progress)
        for model in manifest.models:
            shelf.settle(model.kind, model.name, work / "files" / model.folder, {**model.entry, "sha256": model.files})
        return [(model.kind, model.name) for model in manifest.models]


def _entry(model: AnyModel) -> dict[str, Any]:
    """The keys that were given."""
    fields = type(model).__dataclass_fields__
    left_out = ("name", "path", "sha256")
    return {
        key: value
        for key, field in fields.items()
        if key not in left_out and (value := getattr(model, key)) != field.default and value is not None
    }


def _read_manifest(archive: Path, files: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode((files / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise LibraryError(
            f"{archive}: was not made by `hordenode models export`. `hordenode models add` takes other archives."
        ) from error
    if manifest.version != VERSION:
        raise LibraryError(
            f"{archive}: is of format {manifest.version}, which a newer hordenode made. Update this one."
        )
    for model in manifest.models:
        safe_names([model.folder, *model.files], archive)
    return manifest


def _verify(shelf: Shelf, archive: Path, files: Path, model: Carried, progress: Progress) -> None:
    existing = shelf.own(model.kind, model.name)
    if existing is not None and existing.path.exists():
        raise LibraryError(f"there is a model '{model.name}' already. Remove it first.")
    folder = files / model.folder
    found = digests(folder, progress) if folder.is_dir() else {}
    wrong = [name for name in {**found, **model.files} if found.get(name) != model.files.get(name)]
    if wrong:
        raise LibraryError(f"{archive}: '{wrong[0]}' of '{model.name}' is damaged or missing. Export the model again.")


def _try(archive: Path, folder: Path, model: Carried, engine: EngineSettings, progress: Progress) -> None:
    progress(f"trying out {model.name}")
    try:
        made = msgspec.convert({**model.entry, "name": model.name, "path": folder}, KINDS[model.kind])
    except msgspec.ValidationError as error:
        raise LibraryError(f"{archive}: the entry of '{model.name}' is not right ({error}).") from error
    if isinstance(made, ImageModel | TextModel):
        try_out(made, engine, limits_for(folder))
