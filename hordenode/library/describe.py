"""What models.toml says of a model, told from its folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hordenode.engine.files import read_json
from hordenode.engine.text.layout import read_config
from hordenode.library.digest import sha256
from hordenode.library.paths import files_below
from hordenode.library.progress import Progress


def described(kind: str, folder: Path, name: str, baseline: str = "") -> dict[str, Any]:
    """What models.toml says of a model, as far as its folder tells. Raises ModelFileError."""
    if kind == "text":
        size = re.search(r"(\d+(?:\.\d+)?)\s*[bB]\b", name)
        known = {"parameters": float(size[1])} if size else {}
        return {"context": read_config(folder).model.context_length, **known}
    return {"baseline": baseline or _baseline(folder)}


def _baseline(folder: Path) -> str:
    """The family as the horde calls it, told from the width of the states that steer the UNet."""
    if (folder / "text_encoder_2").is_dir():
        return "stable_diffusion_xl"
    config = folder / "unet" / "config.json"
    width = read_json(config, dict[str, Any]).get("cross_attention_dim") if config.is_file() else None
    return "stable diffusion 2" if width == 1024 else "stable diffusion 1"


def digests(folder: Path, progress: Progress) -> dict[str, str]:
    """SHA-256 of all files that matter for what a model answers."""
    names = list(files_below(folder))
    total, done, found = sum((folder / name).stat().st_size for name in names), 0, {}
    for name in names:
        found[name] = sha256(folder / name)
        done += (folder / name).stat().st_size
        progress("hashing the files", done, total)
    return found
