"""Where models stand below the data directory, and how they get there: made aside, then moved into place as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hordenode.catalog import FOLDER_NAME, KINDS, AnyModel, folder_name, load_catalog, read_catalog
from hordenode.library.errors import Interrupted, LibraryError
from hordenode.library.models_file import ModelsFile
from hordenode.ops.filelock import held

INCOMING = ".incoming"
LOCK_WAIT_S = 10.0


class Shelf:
    """`<data-dir>/models/KIND/FOLDER`, and models.toml beside it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.root = data_dir / FOLDER_NAME
        self.file = ModelsFile(data_dir)

    def place(self, kind: str, name: str) -> Path:
        """The folder of a model of ours."""
        return self.root / kind / folder_name(name)

    def own(self, kind: str, name: str) -> AnyModel | None:
        """The entry of the user's file. Raises CatalogError."""
        if not self.file.path.exists():
            return None
        return read_catalog(self.file.path, self.data_dir).of(kind).get(name)

    def find(self, name: str, kind: str | None = None) -> tuple[str, AnyModel]:
        """A model of either file by name. Raises LibraryError when there is none, or one of each kind."""
        catalog = load_catalog(self.data_dir)
        found = [(each, catalog.of(each)[name]) for each in _kinds(kind) if name in catalog.of(each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise LibraryError(
                f"'{name}' is the name of {' and '.join(each for each, _ in found)} models: choose with --kind."
            )
        known = sorted({each for one in _kinds(kind) for each in catalog.of(one)})
        raise LibraryError(f"there is no model '{name}'. Known are: {', '.join(known) or 'none'}.")

    @contextmanager
    def incoming(self, key: str, *, resumable: bool) -> Iterator[Path]:
        """A folder to make a model in; its `files` are kept for the same `key` when `resumable` work is interrupted."""
        self.root.mkdir(parents=True, exist_ok=True)
        work = self.root / INCOMING / hashlib.sha256(key.encode()).hexdigest()[:16]
        work.mkdir(parents=True, exist_ok=True)
        kept = False
        with held(work.with_suffix(".lock"), 0) as locked:
            if not locked:
                raise LibraryError(f"{key}: is being added by another process. Wait for it to end.")
            try:
                yield work
            except (KeyboardInterrupt, Interrupted):
                kept = resumable and (work / "files").is_dir()
                raise
            finally:
                _clear(work, keep_files=kept)
                self._tidy()

    def _tidy(self) -> None:
        """Leave no empty folder."""
        with contextlib.suppress(OSError):
            (self.root / INCOMING).rmdir()

    def unfinished(self) -> list[Path]:
        """What interrupted work left, to go on from."""
        return sorted(path for path in (self.root / INCOMING).glob("*") if path.is_dir())

    def drop_unfinished(self) -> int:
        """Remove it, but for what another process works on; returns how many."""
        dropped = 0
        for work in self.unfinished():
            with held(work.with_suffix(".lock"), 0) as locked:
                if locked:
                    _clear(work, keep_files=False)
                    dropped += 1
        self._tidy()
        return dropped

    def settle(self, kind: str, name: str, built: Path, values: Mapping[str, Any]) -> Path:
        """Move `built` into place and write its entry: both, or neither. Raises LibraryError, CatalogError."""
        place = self.place(kind, name)
        with self._editing():
            if place.exists():
                raise LibraryError(f"{place}: exists already. `hordenode models remove` takes a model away.")
            place.parent.mkdir(parents=True, exist_ok=True)
            built.replace(place)
            try:
                self.file.put(kind, name, {"path": place.relative_to(self.data_dir).as_posix(), **values})
            except BaseException:
                place.replace(built)
                raise
        return place

    def register(self, kind: str, name: str, values: Mapping[str, Any]) -> None:
        """Write an entry for a folder that stays where it is."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._editing():
            self.file.put(kind, name, values)

    def remove(self, kind: str, name: str) -> Path | None:
        """Take the entry away, and the files if they are ours; returns their folder. Raises LibraryError."""
        entry = self.own(kind, name)
        if entry is None:
            raise LibraryError(
                f"'{name}' ships with hordenode or stands in no file of yours: there is nothing to remove."
            )
        ours = entry.path.is_relative_to(self.root.resolve())
        self.root.mkdir(parents=True, exist_ok=True)
        with self._editing():
            self.file.drop(kind, name)
        if not ours or not entry.path.exists():
            return None
        doomed = self.root / INCOMING / f"{entry.path.name}.removed"
        doomed.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(doomed, ignore_errors=True)
        entry.path.replace(doomed)  # first out of sight: a removal that is cut short leaves no half model
        shutil.rmtree(doomed, ignore_errors=True)
        self._tidy()
        return entry.path

    @contextmanager
    def _editing(self) -> Iterator[None]:
        with held(self.root / ".lock", LOCK_WAIT_S) as locked:
            if not locked:
                raise LibraryError(f"{self.file.path}: another process keeps changing it. Wait for it to end.")
            yield


def _kinds(kind: str | None) -> tuple[str, ...]:
    return (kind,) if kind else tuple(KINDS)


def _clear(work: Path, *, keep_files: bool) -> None:
    for path in work.iterdir() if work.exists() else ():
        if not (keep_files and path.name == "files"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not keep_files:
        work.rmdir()
        if os.name != "nt":  # where an open file cannot be removed the next one takes the lock over
            work.with_suffix(".lock").unlink(missing_ok=True)
