"""Blobs as files in the data directory, in 256 folders of a bucket so that none gets too long.

A sync of the disk takes milliseconds, however much it is for. So what is put at the same time goes to a journal
(blobs/journal.py) with one sync for all of it and is durable then; the files themselves are written without one. Seconds
later they are synced together and the journal is emptied; after a crash, `recover` writes again what is still in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from hordenode.blobs import journal
from hordenode.blobs.disk import CREATE, sync_files, write_all
from hordenode.blobs.journal import Entry, Journal
from hordenode.blobs.recent import Recent

T = TypeVar("T")

log = logging.getLogger("hordenode.blobs")

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
TEMPORARY, JOURNAL = ".part", ".journal"  # no bucket can have these names
ABANDONED_S = 3600
GROUP_BYTES = 32 * 2**20  # that get one sync
SETTLE_S = 2.0  # until the journal is emptied,
SETTLE_BYTES = 16 * 2**20  # or when it has grown to this
RECENT_BYTES = 4 * 2**20  # a picture is mostly asked for right after it came


class FileBlobs:
    """A BlobStore below one folder. All file work happens in threads, what changes the journal in one of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._journal = Journal(root / JOURNAL)
        self._thread = ThreadPoolExecutor(1, "blobs")
        self._recent = Recent[bytes](RECENT_BYTES)
        self._parts, self._numbers = f"{root / TEMPORARY}{os.sep}{secrets.token_hex(8)}-", itertools.count()
        self._waiting: list[tuple[Entry, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()  # in the journal
        self._left = False  # something in it
        self._unsettled = set[str]()  # only in the thread
        self._in_old_segments = set[str]()

    async def put(self, bucket: str, key: str, data: bytes) -> str:
        """Journal, sync, then the file itself: a crash leaves the old one or the new one."""
        _check_names(bucket, key)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((Entry(bucket, key, data), future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting(), name="blobs")
        digest = await future
        self._recent.add((bucket, key), data)
        return digest

    async def get(self, bucket: str, key: str) -> bytes | None:
        recent = self._recent.get((bucket, key))
        return await asyncio.to_thread(_read, self.place(bucket, key)) if recent is None else recent

    async def path(self, bucket: str, key: str) -> Path | None:
        place = self.place(bucket, key)
        return place if await asyncio.to_thread(place.is_file) else None

    async def delete(self, bucket: str, key: str) -> None:
        place = self.place(bucket, key)
        self._recent.forget((bucket, key))
        await self._in_thread(lambda: self._remove(Entry(bucket, key, None), str(place)))

    async def usage(self) -> int:
        return await asyncio.to_thread(_usage, self._root)

    async def close(self) -> None:
        """Finish what is being written and empty the journal."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        self._enough.set()
        if self._settling is not None:
            await asyncio.shield(self._settling)
        self._thread.shutdown()

    def recover(self) -> list[Entry]:
        """At start, before anything else: write again what a crash may have kept from the disk.

        Returns those files, of which some may never have been acknowledged. Files of a version that spread them over two
        levels of folders come to where they belong. Raises OSError.
        """
        _sweep(self._root / TEMPORARY)
        _flatten(self._root)
        found: dict[str, Entry] = {}
        segments = self._journal.segments()
        for entry in (entry for segment in segments for entry in journal.read(segment)):
            place = self._place(entry.bucket, entry.key)
            if entry.data is None:
                found.pop(place, None)
                _unlink(place)
            else:
                found[place] = entry
                self._write_file(place, entry.data)
        sync_files(self._root, map(Path, found))
        for segment in segments:
            segment.unlink()
        return list(found.values())

    def place(self, bucket: str, key: str) -> Path:
        """Where a file is or would be."""
        _check_names(bucket, key)
        return Path(self._place(bucket, key))

    def former_place(self, bucket: str, key: str) -> Path:
        """Where a file was in a data directory that no newer node has opened yet."""
        place, spread = self.place(bucket, key), hashlib.sha256(key.encode()).hexdigest()
        return place.parent / spread[2:4] / key

    def _place(self, bucket: str, key: str) -> str:
        """One level of folders: with a second one nearly each file of a young node needed a folder made for it, which
        took longer than the file."""
        spread = hashlib.sha256(key.encode()).hexdigest()
        return os.path.join(self._root, bucket, spread[:2], key)  # noqa: PTH118  a fifth of Path's time

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _write_waiting(self) -> None:
        """Whatever has gathered while one group was written is the next one."""
        try:
            while self._waiting:
                group = self._take()
                outcomes: Sequence[str | Exception]
                try:
                    outcomes = await self._in_thread(partial(self._write, [entry for entry, _ in group]))
                except Exception as error:
                    outcomes = [error] * len(group)
                for (_, future), outcome in zip(group, outcomes, strict=True):
                    if future.done():
                        continue  # its caller was cancelled
                    if isinstance(outcome, str):
                        future.set_result(outcome)
                    else:
                        future.set_exception(outcome)
                self._settle_soon()
        finally:
            self._writing = None

    def _take(self) -> list[tuple[Entry, asyncio.Future[str]]]:
        size = count = 0
        while count < len(self._waiting) and size < GROUP_BYTES:
            size += len(self._waiting[count][0].data or b"")
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _write(self, entries: list[Entry]) -> list[str | OSError]:
        """A group, in the thread: what each is to return. One that the disk does not take is written one by one."""
        try:
            self._journal.add(entries)
        except OSError as error:
            return [error] if len(entries) == 1 else [self._write([entry])[0] for entry in entries]
        return [self._write_entry(entry) for entry in entries]

    def _write_entry(self, entry: Entry) -> str | OSError:
        place, data = self._place(entry.bucket, entry.key), entry.data or b""
        self._unsettled.add(place)
        try:
            self._write_file(place, data)
        except OSError as error:
            return error
        return hashlib.sha256(data).hexdigest()

    def _write_file(self, place: str, data: bytes) -> None:
        """A new file right where it belongs: nobody asks for it before `put` returns, and after a crash the journal has it.

        With three calls to the system: around each the interpreter changes hands, which the event loop waits for.
        """
        try:
            _create(place, data)
        except FileExistsError:
            temporary = f"{self._parts}{next(self._numbers):x}"
            _create(temporary, data)
            try:
                os.replace(temporary, place)  # noqa: PTH105
            except OSError:
                _unlink(temporary)
                raise

    def _remove(self, entry: Entry, place: str) -> None:
        """In the thread. What the journal still has would come back after a crash."""
        _unlink(place)
        if place in self._unsettled or place in self._in_old_segments:
            with contextlib.suppress(OSError):  # a full disk: it is removed again when its row expires
                self._journal.add([entry], durable=False)

    def _settle_soon(self) -> None:
        if self._journal.size >= SETTLE_BYTES:
            self._enough.set()
        self._left = True
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle(), name="blobs: settle")

    async def _settle(self) -> None:
        """Make the files themselves durable and empty the journal, until there is nothing in it."""
        try:
            while self._left:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_S):
                        await self._enough.wait()
                self._left = False
                self._enough.clear()
                files, segments = await self._in_thread(self._end_segment)
                await asyncio.to_thread(_settle, self._root, files, segments)
                await self._in_thread(self._in_old_segments.clear)
        except OSError as error:
            log.error("stored files could not be synced, their journal is kept: %s", error)
        finally:
            self._settling = None

    def _end_segment(self) -> tuple[set[Path], list[Path]]:
        """In the thread: what was written since the last time that this succeeded, and the segments that have it."""
        self._journal.end()
        self._in_old_segments |= self._unsettled
        self._unsettled.clear()
        return set(map(Path, self._in_old_segments)), self._journal.segments()


def _check_names(*names: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r:.80} cannot be the name of a stored file")


def _create(path: str, data: bytes) -> None:
    """A new file, and its folder when that is missing. FileExistsError when there is one."""
    try:
        descriptor = os.open(path, CREATE, 0o666)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, CREATE, 0o666)
    try:
        try:
            write_all(descriptor, [data])
        finally:
            os.close(descriptor)
    except BaseException:
        _unlink(path)
        raise


def _flatten(root: Path) -> None:
    """Files of the second level of folders go to the first."""
    for folder in root.glob("[!.]*/??/??"):
        if folder.is_dir():
            for file in list(folder.iterdir()):
                file.replace(folder.parent / file.name)
            folder.rmdir()


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _settle(root: Path, files: set[Path], segments: list[Path]) -> None:
    sync_files(root, files)
    for segment in segments:
        segment.unlink()


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
    for file in root.glob("[!.]*/**/*"):
        with contextlib.suppress(FileNotFoundError):  # deleted while we look
            total += file.stat().st_size if file.is_file() else 0
    return total
