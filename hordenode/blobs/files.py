"""Blobs as files in the data directory, in two levels of folders so that none gets too long."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import time
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
TEMPORARY = ".part"  # no bucket can have this name
ABANDONED_S = 3600


class FileBlobs:
    """A BlobStore below one folder. All file work happens in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._swept = False

    async def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write beside, sync, rename: a crash leaves the old file or the new one."""
        place = self.place(bucket, key)
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(_sweep, self._root / TEMPORARY)
        await asyncio.to_thread(_write, place, self._root / TEMPORARY / secrets.token_hex(8), data)

    async def get(self, bucket: str, key: str) -> bytes | None:
        place = self.place(bucket, key)
        return await asyncio.to_thread(_read, place)

    async def path(self, bucket: str, key: str) -> Path | None:
        place = self.place(bucket, key)
        return place if await asyncio.to_thread(place.is_file) else None

    async def delete(self, bucket: str, key: str) -> None:
        place = self.place(bucket, key)
        await asyncio.to_thread(lambda: place.unlink(missing_ok=True))

    async def usage(self) -> int:
        return await asyncio.to_thread(_usage, self._root)

    def place(self, bucket: str, key: str) -> Path:
        """Where a file is or would be."""
        for name in (bucket, key):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r:.80} cannot be the name of a stored file")
        spread = hashlib.sha256(key.encode()).hexdigest()
        return self._root / bucket / spread[:2] / spread[2:4] / key


def _write(place: Path, temporary: Path, data: bytes) -> None:
    temporary.parent.mkdir(parents=True, exist_ok=True)
    _make_folder(place.parent)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(place.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder that outlives a power loss, with what is missing above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make new names in a folder durable where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what writers left that were killed; another process may be writing a young one."""
    with contextlib.suppress(FileNotFoundError):
        for file in list(folder.iterdir()):
            if time.time() - file.stat().st_mtime > ABANDONED_S:
                file.unlink(missing_ok=True)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None


def _usage(root: Path) -> int:
    total = 0
    for file in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # deleted while we look
            total += file.stat().st_size if file.is_file() else 0
    return total
