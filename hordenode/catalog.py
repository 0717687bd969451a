"""models.toml: which models this node can run (ARCHITECTURE 3.13).

The file that ships with the package is read-only; `<data-dir>/models.toml` adds entries and replaces those of the same
kind and name. The file says what can run; the [worker] settings say what is offered.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

FILE_NAME = "models.toml"
PACKAGE = Path(__file__).parent

Residency = Literal["pinned", "on-demand"]
Amount = Annotated[int, msgspec.Meta(ge=0)]


class CatalogError(Exception):
    """A models.toml cannot be used; the text names the file and the key and says what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What all kinds share.

    `path`: its folder, absolute once loaded. `sha256`: digests by file path inside the folder, checked when the model
    loads. `vram_mb`: memory that it takes, for the budget; 0 = the size of its files. A pinned model loads at start
    and stays.
    """

    name: str = ""
    path: Path
    sha256: dict[str, str] = field(default_factory=dict)
    vram_mb: Amount = 0
    residency: Residency = "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel(_Model):
    """A folder in the Stable Diffusion layout. `baseline` as the horde calls the family.

    Pictures of an area outside `min_pixels`..`max_pixels` are drawn at that area and scaled; 0 = no limit. `square`:
    whatever the size, the model draws a square that is then stretched, as it knows nothing else.
    """

    baseline: str = "stable diffusion 1"
    min_pixels: Amount = 0
    max_pixels: Amount = 0
    square: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel(_Model):
    """A folder in the ONNX Runtime GenAI layout. `context` in tokens, `parameters` in billions.

    `max_batch`: how many texts are written side by side; each may take memory for a whole context.
    """

    context: Annotated[int, msgspec.Meta(ge=1)] = 2048
    max_batch: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    parameters: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyModel(_Model):
    """An image classifier in ONNX that checks pictures. `threshold`: from which probability one is unsafe."""

    threshold: float = 0.5


Model = TypeVar("Model", ImageModel, TextModel, SafetyModel)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by name, exactly as they are advertised to hordes."""

    image: dict[str, ImageModel] = field(default_factory=dict)
    text: dict[str, TextModel] = field(default_factory=dict)
    safety: dict[str, SafetyModel] = field(default_factory=dict)


def load_catalog(data_dir: Path | None = None) -> Catalog:
    """The package's models and, over them, those of the data directory. Raises CatalogError."""
    catalog = read_catalog(packaged_file(), PACKAGE)
    own = data_dir / FILE_NAME if data_dir is not None else None
    if own is None or not own.exists():
        return catalog
    more = read_catalog(own, own.parent)
    return Catalog(image=catalog.image | more.image, text=catalog.text | more.text, safety=catalog.safety | more.safety)


def packaged_file() -> Path:
    """Inside the package when it was installed from a wheel, beside it in a source tree."""
    inside = PACKAGE / FILE_NAME
    return inside if inside.exists() else PACKAGE.parent / FILE_NAME


def read_catalog(file: Path, base: Path) -> Catalog:
    """The models of one file; relative paths start at `base`. Raises CatalogError."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"{file}: {error}") from error
    _refuse_unknown(file, "", content, ("image", "text", "safety"))
    return Catalog(
        image=_entries(file, base, "image", content.get("image", {}), ImageModel),
        text=_entries(file, base, "text", content.get("text", {}), TextModel),
        safety=_entries(file, base, "safety", content.get("safety", {}), SafetyModel),
    )


def _entries(file: Path, base: Path, kind: str, tables: object, model: type[Model]) -> dict[str, Model]:
    if not isinstance(tables, dict):
        raise CatalogError(f'{file}: {kind} must hold tables such as [{kind}."name"]')
    return {name: _entry(file, base, f'{kind}."{name}"', name, table, model) for name, table in tables.items()}


def _entry(file: Path, base: Path, key: str, name: str, table: object, model: type[Model]) -> Model:
    if not isinstance(table, dict):
        raise CatalogError(f"{file}: {key} must be a table")
    known = tuple(name for name in model.__dataclass_fields__ if name != "name")
    _refuse_unknown(file, f"{key}.", table, known)
    values = {**table, "name": name}
    if isinstance(path := table.get("path"), str):
        values["path"] = (base / Path(path).expanduser()).resolve()
    try:
        return msgspec.convert(values, model)
    except msgspec.ValidationError as error:
        raise CatalogError(f"{file}: {key}: {error}") from error


def _refuse_unknown(file: Path, prefix: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(known)}"
            raise CatalogError(f"{file}: unknown key '{prefix}{key}'; {hint}")
