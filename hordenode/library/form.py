"""What a folder of model files is, told from the names of its files alone, and which of them are needed.

The same decision serves for a folder, an archive and a repository whose files are not here yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from hordenode.library.errors import LibraryError

PARTS = ("text_encoder", "text_encoder_2", "unet", "vae_decoder", "vae_encoder")
SMALL = (".json", ".txt", ".jinja", ".model")


class Form(StrEnum):
    """The ways in which models are kept."""

    ONNX_IMAGE = "an ONNX image folder"
    DIFFUSERS = "a diffusers folder"
    SINGLE_FILE = "a single image checkpoint"
    GENAI = "an ONNX Runtime GenAI folder"
    OPTIMUM_TEXT = "an optimum text folder"
    CHECKPOINT_TEXT = "a text checkpoint"


IMAGES = (Form.ONNX_IMAGE, Form.DIFFUSERS, Form.SINGLE_FILE)
READY = (Form.ONNX_IMAGE, Form.GENAI)


@dataclass(frozen=True, slots=True)
class Found:
    """A model. `root`: the folder that holds it, relative, empty for the top; `files`: needed ones, below the root."""

    form: Form
    root: str
    files: tuple[str, ...]

    @property
    def kind(self) -> str:
        """As models.toml calls it."""
        return "image" if self.form in IMAGES else "text"


def recognise(names: Collection[str], where: object, subfolder: str = "") -> Found:
    """The model among these files. Raises LibraryError, naming `where`, when there is none or more than one."""
    if subfolder:
        found = _look(names, subfolder.strip("/"))
        if found is None:
            raise LibraryError(f"{where}: holds no model in '{subfolder}'. Folders there: {_folders(names)}.")
        return found
    top = _look(names, "")
    if top is not None:
        return top
    candidates: list[Found] = []
    for root in _roots(names):  # outer ones first: what is inside a model is a part of it
        inside = any(root.startswith(f"{outer.root}/") for outer in candidates)
        if not inside and (found := _look(names, root)) is not None:
            candidates.append(found)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        roots = ", ".join(found.root for found in candidates)
        raise LibraryError(f"{where}: holds several models ({roots}). Choose one with --subfolder.")
    raise LibraryError(
        f"{where}: holds no model that is known: neither {', nor '.join(Form)}. It holds: {', '.join(sorted(names)[:8])}"
        f"{' …' if len(names) > 8 else ''}."
    )


def _look(names: Collection[str], root: str) -> Found | None:
    """What stands at `root` itself."""
    prefix = f"{root}/" if root else ""
    below = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    for form, test in _TESTS:
        if test(below):
            return Found(form, root, tuple(sorted(name for name in below if _NEEDED[form](name, below))))
    return None


def _roots(names: Collection[str]) -> list[str]:
    """All folders but those inside a model's own."""
    parents = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents} - {"."}
    return sorted(parents, key=lambda root: (root.count("/"), root))


def _folders(names: Collection[str]) -> str:
    return ", ".join(_roots(names)) or "none"


def _is_single(below: Collection[str]) -> bool:
    weights = [name for name in below if name.endswith(".safetensors")]
    return len(weights) == 1 and "/" not in weights[0] and "config.json" not in below


def _is_checkpoint(below: Collection[str]) -> bool:
    return "config.json" in below and any(_is_shard(name) for name in below)


def _is_shard(name: str) -> bool:
    return re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", name) is not None


_TESTS: list[tuple[Form, Callable[[Collection[str]], bool]]] = [
    (Form.ONNX_IMAGE, lambda below: "unet/model.onnx" in below),
    (Form.DIFFUSERS, lambda below: "model_index.json" in below and "unet/config.json" in below),
    (Form.GENAI, lambda below: "genai_config.json" in below),
    (Form.CHECKPOINT_TEXT, _is_checkpoint),
    (
        Form.OPTIMUM_TEXT,
        lambda below: "config.json" in below and not {"model.onnx", "onnx/model.onnx"}.isdisjoint(below),
    ),
    (Form.SINGLE_FILE, _is_single),
]


def _onnx_image(name: str, _: Collection[str]) -> bool:
    folder, _, file = name.rpartition("/")
    if folder in PARTS:
        return file == "config.json" or _is_onnx(file, "model.onnx") or file == "lora.json"
    return name == "model_index.json" or (folder in ("scheduler", "tokenizer", "tokenizer_2") and file.endswith(SMALL))


def _diffusers(name: str, below: Collection[str]) -> bool:
    folder, _, file = name.rpartition("/")
    if folder in ("scheduler", "tokenizer", "tokenizer_2") or name == "model_index.json":
        return file.endswith(SMALL)
    if folder not in (*PARTS, "vae"):
        return False
    return file == "config.json" or file.endswith(".index.json") or _is_chosen_variant(name, below)


def _is_chosen_variant(name: str, below: Collection[str]) -> bool:
    """The full weights where they are there, else the fp16 ones; never other formats."""
    if not name.endswith(".safetensors"):
        return False
    plain = not re.search(r"\.(fp16|bf16|ema|non_ema)\b", name)
    full = any(
        other.rpartition("/")[0] == name.rpartition("/")[0]
        and other.endswith(".safetensors")
        and not re.search(r"\.(fp16|bf16|ema|non_ema)\b", other)
        for other in below
    )
    return plain if full else ".fp16." in name


def _text(name: str, _: Collection[str]) -> bool:
    return "/" not in name and (name.endswith(SMALL) or _is_shard(name))


def _optimum(name: str, below: Collection[str]) -> bool:
    folder, _, file = name.rpartition("/")
    home = "" if "model.onnx" in below else "onnx"
    return (folder == home and _is_onnx(file, "model.onnx")) or (not folder and file.endswith(SMALL))


def _genai(name: str, _: Collection[str]) -> bool:
    return "/" not in name and (name.endswith(SMALL) or ".onnx" in name)


def _is_onnx(file: str, graph: str) -> bool:
    """A graph or its weights beside it: model.onnx, model.onnx_data, model.onnx.data, weights.pb."""
    return file in (graph, "weights.pb") or file.startswith((f"{graph}_", f"{graph}."))


_NEEDED: dict[Form, Callable[[str, Collection[str]], bool]] = {
    Form.ONNX_IMAGE: _onnx_image,
    Form.DIFFUSERS: _diffusers,
    Form.GENAI: _genai,
    Form.CHECKPOINT_TEXT: _text,
    Form.OPTIMUM_TEXT: _optimum,
    Form.SINGLE_FILE: lambda name, _: name.endswith(".safetensors"),
}
