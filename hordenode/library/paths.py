"""Names of files that others chose, and bytes that others counted: taken only when they can do no harm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from hordenode.library.errors import LibraryError

MAX_FILES = 10_000
MAX_DEPTH = 12
MAX_LENGTH = 240

# Names that Windows keeps for devices, whatever follows the dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f<>:"\\|?*]')


def safe_names(names: Iterable[str], where: object) -> list[str]:
    """The names of files relative to a folder, as they are. Raises LibraryError when one could leave the folder.

    Also for more of them than a model has, and for two that are one on file systems without upper case.
    """
    taken: dict[str, str] = {}
    for name in names:
        trouble = _trouble(name)
        if trouble:
            raise LibraryError(f"{where}: refused, since the file name {name[:MAX_LENGTH]!r} {trouble}.")
        folded = name.casefold()
        if folded in taken:
            raise LibraryError(f"{where}: refused, since it holds {name!r} twice.")
        taken[folded] = name
        if len(taken) > MAX_FILES:
            raise LibraryError(f"{where}: refused, since it holds more than {MAX_FILES} files.")
    return list(taken.values())


def files_below(folder: Path) -> Iterator[str]:
    """All files of a folder by relative name; hidden ones are left out."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()


def _trouble(name: str) -> str:
    path = PurePosixPath(name)
    if not path.parts or name.startswith("/") or path.as_posix() != name:
        return "is not a plain relative path"
    if _UNSAFE.search(name):
        return "holds a character that file systems read in their own way"
    if any(part in ("..", ".") or part.endswith((".", " ")) or _DEVICES.fullmatch(part) for part in path.parts):
        return "has a part with a meaning of its own"
    if len(path.parts) > MAX_DEPTH or len(name) > MAX_LENGTH:
        return "is too long"
    return ""
