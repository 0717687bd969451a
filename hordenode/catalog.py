"""models.toml: which models this node can run (ARCHITECTURE 3.13).

The file that ships with the package is read-only; `<data-dir>/models.toml` adds entries and replaces those of the same
kind and name. The file says what can run; the [worker] settings say what is offered.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

FILE_NAME = "models.toml"
FOLDER_NAME = "models"
PACKAGE = Path(__file__).parent

Residency = Literal["pinned", "on-demand"]
Amount = Annotated[int, msgspec.Meta(ge=0)]

# Where a model of the hub comes from: `hf:owner/repo@revision`.
HUB_SOURCE = re.compile(r"hf:(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@(?P<revision>[A-Za-z0-9][\w./-]*)")
PRECISIONS = ("fp32", "fp16", "int8", "int4")
# What an alchemist can be asked for, as the v2 API names it; the last upscaler is ours.
UPSCALERS = (
    "RealESRGAN_x4plus RealESRGAN_x2plus RealESRGAN_x4plus_anime_6B NMKD_Siax 4x_AnimeSharp 4xNomos8kSC 4xLSDIRplus "
    "4xNomosWebPhoto_RealPLKSR 4xNomos2_realplksr_dysample 4xNomos2_hq_dat2 2xModernSpanimationV1 hordenode_x2"
).split()
FORMS = (
    "caption interrogation nsfw vectorize palette describe aesthetic strip_background GFPGAN GFPGANv1.3 RestoreFormer "
    "CodeFormers"
).split() + UPSCALERS


class CatalogError(Exception):
    """A models.toml cannot be used; the text names the file and the key and says what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What all kinds share.

    `path`: its folder, absolute once loaded; where it is not given, the place to which `models add` brings it from
    `source`. `sha256`: digests by file path inside the folder, checked when the model loads. `vram_mb`: memory that it
    takes, for the budget; 0 = the size of its files. A pinned model loads at start and stays. `about`: in one line, what
    it knows, for whoever is about to ask it something.
    """

    name: str = ""
    path: Path
    source: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    vram_mb: Amount = 0
    residency: Residency = "on-demand"
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel(_Model):
    """A folder in the Stable Diffusion layout. `baseline` as the horde calls the family.

    Pictures of an area outside `min_pixels`..`max_pixels` are drawn at that area and scaled; 0 = no limit. `square`:
    whatever the size, the model draws a square that is then stretched, as it knows nothing else. `upscaler`: the entry
    of [alchemy] that enlarges what is drawn smaller than asked for; without one it is interpolated.
    """

    baseline: str = "stable diffusion 1"
    min_pixels: Amount = 0
    max_pixels: Amount = 0
    square: bool = False
    upscaler: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel(_Model):
    """A folder in the layout of ONNX Runtime GenAI, or in that of optimum. `context` in tokens, `parameters` in billions.

    `max_batch`: how many texts are written side by side; each may take memory for a whole context.
    """

    context: Annotated[int, msgspec.Meta(ge=1)] = 2048
    max_batch: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    parameters: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyModel(_Model):
    """An image classifier in ONNX that checks pictures. `threshold`: from which probability one is unsafe."""

    threshold: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AlchemyModel(_Model):
    """A folder that serves one operation on pictures. `form`: which, as the v2 API names it; else the entry's name.

    `abroad`: false for what would disappoint strangers; other hordes are offered it only where the owner names the form.
    """

    form: str
    abroad: bool = True


Model = TypeVar("Model", bound=_Model)
AnyModel = ImageModel | TextModel | SafetyModel | AlchemyModel

# Kind -> its type: the tables of a models.toml and the members of a Catalog.
KINDS: dict[str, type[ImageModel | TextModel | SafetyModel | AlchemyModel]] = {
    "image": ImageModel,
    "text": TextModel,
    "safety": SafetyModel,
    "alchemy": AlchemyModel,
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """[defaults]: what `models add` does when it is not told. `precision`: of converted weights; empty = its own."""

    precision: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by name, exactly as they are advertised to hordes."""

    image: dict[str, ImageModel] = field(default_factory=dict)
    text: dict[str, TextModel] = field(default_factory=dict)
    safety: dict[str, SafetyModel] = field(default_factory=dict)
    alchemy: dict[str, AlchemyModel] = field(default_factory=dict)
    defaults: Defaults = Defaults()

    def of(self, kind: str) -> Mapping[str, AnyModel]:
        """The models of a kind."""
        models: Mapping[str, AnyModel] = getattr(self, kind)
        return models


def load_catalog(data_dir: Path | None = None) -> Catalog:
    """The package's models and, over them, those of the data directory. Raises CatalogError."""
    catalog = read_catalog(packaged_file(), PACKAGE)
    own = data_dir / FILE_NAME if data_dir is not None else None
    if own is None or not own.exists():
        return catalog
    more = read_catalog(own, own.parent)
    merged = Catalog(
        image=catalog.image | more.image,
        text=catalog.text | more.text,
        safety=catalog.safety | more.safety,
        alchemy=catalog.alchemy | more.alchemy,
        defaults=more.defaults if more.defaults.precision else catalog.defaults,
    )
    _check_upscalers(own, merged)
    return merged


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
    return parse_catalog(content, file, base)


def parse_catalog(content: Mapping[str, Any], file: Path, base: Path) -> Catalog:
    """The models of a file's content; `file` is named in errors. Raises CatalogError."""
    _refuse_unknown(file, "", content, ("defaults", *KINDS))
    return Catalog(
        image=_entries(file, base, "image", content.get("image", {}), ImageModel),
        text=_entries(file, base, "text", content.get("text", {}), TextModel),
        safety=_entries(file, base, "safety", content.get("safety", {}), SafetyModel),
        alchemy=_entries(file, base, "alchemy", content.get("alchemy", {}), AlchemyModel),
        defaults=_defaults(file, content.get("defaults", {})),
    )


def folder_name(name: str) -> str:
    """A model's folder below the kind's: readable, of letters that every file system takes, and its own."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:60]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def near_name(name: str, known: tuple[str, ...] | list[str], cutoff: float = 0.6) -> str:
    """A hint for a name that does not exist: the nearest one, else all of them."""
    near = difflib.get_close_matches(name, known, 1, cutoff)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(known)}"


def _defaults(file: Path, table: object) -> Defaults:
    if not isinstance(table, dict):
        raise CatalogError(f"{file}: defaults must be a table")
    _refuse_unknown(file, "defaults.", table, ("precision",))
    precision = table.get("precision", "")
    if precision and precision not in PRECISIONS:
        raise CatalogError(f"{file}: defaults.precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    return Defaults(precision)


def _entries(file: Path, base: Path, kind: str, tables: object, model: type[Model]) -> dict[str, Model]:
    if not isinstance(tables, dict):
        raise CatalogError(f'{file}: {kind} must hold tables such as [{kind}."name"]')
    return {name: _entry(file, base, kind, name, table, model) for name, table in tables.items()}


def _entry(file: Path, base: Path, kind: str, name: str, table: object, model: type[Model]) -> Model:
    key = f'{kind}."{name}"'
    if not isinstance(table, dict):
        raise CatalogError(f"{file}: {key} must be a table")
    known = tuple(name for name in model.__dataclass_fields__ if name != "name")
    _refuse_unknown(file, f"{key}.", table, known)
    values = {**table, "name": name}
    if isinstance(path := table.get("path"), str):
        values["path"] = (base / Path(path).expanduser()).resolve()
    elif "source" in table:
        values["path"] = (base / FOLDER_NAME / kind / folder_name(name)).resolve()
    elif "path" not in table:
        raise CatalogError(f"{file}: {key} needs a path, or a source to fetch it from")
    if kind == "alchemy":
        values.setdefault("form", name)
    _check(file, key, values)
    try:
        return msgspec.convert(values, model)
    except msgspec.ValidationError as error:
        raise CatalogError(f"{file}: {key}: {error}") from error


def _check(file: Path, key: str, values: Mapping[str, Any]) -> None:
    """What types do not say."""
    source, form = values.get("source"), values.get("form")
    if isinstance(source, str) and not HUB_SOURCE.fullmatch(source):
        raise CatalogError(f"{file}: {key}.source must have the form hf:owner/repo@revision, not '{source}'")
    if isinstance(form, str) and form not in FORMS:
        raise CatalogError(f"{file}: {key}.form '{form}' is no form of alchemy; {near_name(form, FORMS)}")


def _check_upscalers(file: Path, catalog: Catalog) -> None:
    """Whether each upscaler that an image model names is there and is one."""
    upscalers = [name for name, model in catalog.alchemy.items() if model.form in UPSCALERS]
    for name, model in catalog.image.items():
        if model.upscaler and model.upscaler not in upscalers:
            raise CatalogError(
                f"{file}: image.\"{name}\".upscaler '{model.upscaler}' is no upscaler of [alchemy]; "
                f"{near_name(model.upscaler, upscalers)}"
            )


def _refuse_unknown(file: Path, prefix: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise CatalogError(f"{file}: unknown key '{prefix}{key}'; {near_name(key, known)}")
