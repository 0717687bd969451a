"""The files of a model folder: read with errors that name the file, and verified against models.toml."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from hordenode.engine.jobs import ModelFileError

T = TypeVar("T")

RESTORE = "Restore the file from where the model came from, or remove the model from models.toml."
MB = 2**20


def read_json(file: Path, kind: type[T]) -> T:
    """A configuration file as `kind`; other keys are ignored. Raises ModelFileError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise ModelFileError(file, f"cannot be read ({error.strerror})", RESTORE) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(file, f"is damaged or of another kind ({error})", RESTORE) from error


def verify(folder: Path, digests: Mapping[str, str]) -> None:
    """Compare files with their SHA-256 digests. Raises ModelFileError for the first that differs."""
    for name, expected in digests.items():
        file = folder / name
        try:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelFileError(file, f"cannot be read ({error.strerror})", RESTORE) from error
        if found != expected.lower():
            raise ModelFileError(file, f"has SHA-256 {found} where models.toml says {expected}", RESTORE)


def size_mb(folder: Path) -> int:
    """Size of all weights in a folder in MB, rounded up."""
    weights = (file for file in folder.rglob("*") if file.is_file() and ".onnx" in file.name)
    return -(-sum(file.stat().st_size for file in weights) // MB)
