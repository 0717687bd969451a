"""Blobs as files in the data directory, in two levels of folders so that none gets too long."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
TEMPORARY = ".part"


class FileBlobs:
    """A BlobStore below one folder. All file work happens in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write beside, sync, rename: a crash leaves the old file or the new one."""
        await asyncio.to_thread(_write, self._place(bucket, key), data)

    async def get(self, bucket: str, key: str) -> bytes | None:
        return await asyncio.to_thread(_read, self._place(bucket, key))

    async def path(self, bucket: str, key: str) -> Path | None:
        place = self._place(bucket, key)
        return place if await asyncio.to_thread(place.is_file) else None

    async def delete(self, bucket: str, key: str) -> None:
        place = self._place(bucket, key)
        await asyncio.to_thread(lambda: place.unlink(missing_ok=True))

    async def usage(self) -> int:
        return await asyncio.to_thread(_usage, self._root)

    def _place(self, bucket: str, key: str) -> Path:
        for name in (bucket, key):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r:.80} cannot be the name of a stored file")
        return self._root / bucket / key[:2] / key[2:4].ljust(2, "_") / key


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f"{place.name}.{secrets.token_hex(4)}{TEMPORARY}")
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


def _sync_folder(folder: Path) -> None:
    """Make the rename durable where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None


def _usage(root: Path) -> int:
    return sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
