"""Folders and files that outlive a power loss."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

FEW = 8  # files that are synced one by one
PIECES = 512  # that one call to the system takes
CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)


def write_all(descriptor: int, pieces: Sequence[bytes]) -> None:
    """Write all bytes, with few calls: after each of them a thread has to wait for the interpreter again."""
    for first in range(0, len(pieces), PIECES):
        some = pieces[first : first + PIECES]
        written = os.writev(descriptor, some) if hasattr(os, "writev") else 0  # not on Windows
        if written < sum(map(len, some)):
            left = memoryview(b"".join(some))[written:]
            while left:
                left = left[os.write(descriptor, left) :]


def make_folder(folder: Path) -> None:
    """Make a folder that outlives a power loss, with what is missing above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable where folders can be opened (not on Windows)."""
    if os.name != "nt":
        _sync(folder, os.O_RDONLY)


def sync_files(root: Path, files: Iterable[Path]) -> None:
    """Make files below `root` durable with their names; those that are gone meanwhile do not matter.

    Each costs a write to the disk, so many of them are left to one sync of the whole file system, where there is one.
    """
    files = set(files)
    if len(files) > FEW and _sync_file_system(root):
        return
    folders = set[Path]()
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            _sync(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        folders.update(folder for folder in file.parents if folder.is_relative_to(root))
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        sync_folder(folder)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(folder: Path) -> bool:
    """syncfs(2), which Python does not offer; False where there is none. Raises OSError."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None
    if syncfs is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(descriptor)
    return True
