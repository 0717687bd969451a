"""models.toml to values: which models can run here (ARCHITECTURE 3.13).

The packaged file says what ships with the program; `<data-dir>/models.toml` adds to it and overrides it by name.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

FILE = "models.toml"
PACKAGE = Path(__file__).parent
KINDS = ("image", "text", "alchemy")


class CatalogError(Exception):
    """models.toml cannot be used; the text names file and key."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str
    sha256: dict[str, str] = {}
    vram_mb: int = 0
    residency: Literal["pinned", "on-demand"] = "on-demand"
    precision: Literal["fp32", "fp16"] = "fp16"


class _ImageEntry(_Entry, frozen=True, kw_only=True):
    baseline: str = "stable diffusion 1"
    max_pixels: int | None = None


class _TextEntry(_Entry, frozen=True, kw_only=True):
    context: int = 2048
    max_batch: int = 8
    parameters: float | None = None


class _AlchemyEntry(_Entry, frozen=True, kw_only=True):
    pass


@dataclass(frozen=True, slots=True)
class Model:
    """What every model has. `sha256`: file within the folder to hex digest, verified when the model is loaded."""

    name: str
    path: Path
    sha256: Mapping[str, str]
    vram_mb: int
    residency: str
    precision: str


@dataclass(frozen=True, slots=True)
class ImageModel(Model):
    """A picture model. Requests above `max_pixels` are drawn at that area and enlarged; None draws any size itself."""

    baseline: str = "stable diffusion 1"
    max_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class TextModel(Model):
    """A text model. context in tokens, parameters in billions when known (they decide the reward)."""

    context: int = 2048
    max_batch: int = 8
    parameters: float | None = None


@dataclass(frozen=True, slots=True)
class AlchemyModel(Model):
    """A model for one alchemy form, named after it."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by kind and name."""

    image: dict[str, ImageModel] = field(default_factory=dict)
    text: dict[str, TextModel] = field(default_factory=dict)
    alchemy: dict[str, AlchemyModel] = field(default_factory=dict)


M = TypeVar("M", ImageModel, TextModel, AlchemyModel)


def load_catalog(data_dir: Path | None = None) -> Catalog:
    """The packaged models and those of the data directory. Raises CatalogError."""
    packaged = PACKAGE / FILE if (PACKAGE / FILE).is_file() else PACKAGE.parent / FILE
    catalog = Catalog()
    _read(packaged, PACKAGE, catalog)
    if data_dir is not None and (data_dir / FILE).is_file():
        _read(data_dir / FILE, data_dir, catalog)
    return catalog


def _read(file: Path, base: Path, catalog: Catalog) -> None:
    """Add a file's entries; relative paths start at `base`."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogError(f"{file} cannot be read: {error}") from error
    defaults = document.pop("defaults", {})
    for kind, entries in document.items():
        if kind not in KINDS or not isinstance(entries, dict):
            raise CatalogError(f"{file}: '{kind}' is not a kind of model.{_near(kind, KINDS)}")
    _add(catalog.image, ImageModel, _ImageEntry, _Source(file, base, "image", defaults), document)
    _add(catalog.text, TextModel, _TextEntry, _Source(file, base, "text", defaults), document)
    _add(catalog.alchemy, AlchemyModel, _AlchemyEntry, _Source(file, base, "alchemy", defaults), document)


@dataclass(frozen=True, slots=True)
class _Source:
    file: Path
    base: Path
    kind: str
    defaults: dict[str, Any]


def _add(into: dict[str, M], model: type[M], entry: type[_Entry], source: _Source, document: dict[str, Any]) -> None:
    for name, members in document.get(source.kind, {}).items():
        where = f'{source.file}: [{source.kind}."{name}"]'
        if not isinstance(members, dict):
            raise CatalogError(f"{where} must be a table")
        known = entry.__struct_fields__
        for key in members:
            if key not in known:
                raise CatalogError(f"{where}: there is no option '{key}'.{_near(key, known)}")
        try:
            made = msgspec.convert({**source.defaults, **members}, entry)
        except msgspec.ValidationError as error:
            raise CatalogError(f"{where}: {error}") from error
        values = msgspec.structs.asdict(made)
        values["path"] = (source.base / Path(made.path).expanduser()).absolute()
        into[name] = model(name=name, **values)


def _near(word: str, known: tuple[str, ...]) -> str:
    found = difflib.get_close_matches(word, known, 1, 0.5)
    return f" Did you mean '{found[0]}'?" if found else ""
