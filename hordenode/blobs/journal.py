"""A journal of files: what makes many of them durable with one sync.

A segment is a row of records, each with its own check sum, so that one cut off by a crash ends what is read of it. For
use by one thread at a time.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from hordenode.blobs.disk import CREATE, make_folder, sync_folder, write_all

_HEAD = Struct("<4sIIII")  # mark, check sum, bytes of bucket, key, content
_PUT, _GONE = b"HNf+", b"HNf-"
_sync = getattr(os, "fdatasync", os.fsync)  # not everywhere


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was put; data None: it was deleted."""

    bucket: str
    key: str
    data: bytes | None


class Journal:
    """Segments in one folder, numbered; at most one of them is being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes in the segment that is being written."""
        return self._size

    def add(self, entries: Iterable[Entry], *, durable: bool = True) -> None:
        """Append, and sync unless it may get lost. Raises OSError, after which nothing of it will be read again."""
        descriptor = self._open()
        try:
            pieces = [piece for entry in entries for piece in _record(entry)]
            write_all(descriptor, pieces)
            if durable:
                _sync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self._size)
            self.end()  # after a sync that failed nobody knows what of this segment is on the disk
            raise
        self._size += sum(map(len, pieces))

    def end(self) -> None:
        """Add no more to the segment being written: the next entry begins another."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._size = None, 0

    def segments(self) -> list[Path]:
        """All that are there, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(self._folder.iterdir(), key=lambda path: (len(path.name), path.name))
        return []

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self._folder)
            last = self.segments()[-1:]
            path = self._folder / str(int(last[0].name) + 1 if last else 1)
            self._descriptor = os.open(path, CREATE, 0o600)
            sync_folder(self._folder)
        return self._descriptor


def read(segment: Path) -> Iterator[Entry]:
    """The entries of a segment, up to the first that is not whole."""
    content = segment.read_bytes()
    at = 0
    while at + _HEAD.size <= len(content):
        mark, check, bucket, key, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        end = at + bucket + key + size
        if mark not in (_PUT, _GONE) or end > len(content) or zlib.crc32(content[at:end]) != check:
            return
        name = content[at : at + bucket + key].decode()
        yield Entry(name[:bucket], name[bucket:], content[at + bucket + key : end] if mark == _PUT else None)
        at = end


def _record(entry: Entry) -> tuple[bytes, bytes]:
    """As it stands in a segment."""
    name, data = (entry.bucket + entry.key).encode(), entry.data or b""
    check = zlib.crc32(data, zlib.crc32(name))
    mark = _GONE if entry.data is None else _PUT
    return _HEAD.pack(mark, check, len(entry.bucket), len(entry.key), len(data)) + name, data
