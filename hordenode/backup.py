"""One file with everything that a horde is: database, results, keys and settings of models. Models themselves are not in it.

A backup is a tar archive. The database in it is a snapshot taken while the node runs on (SQLite's backup API waits for
nobody and nobody waits for it); the files are those that the snapshot names. A file that expired meanwhile is missing,
and its request is as good as gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hordenode.blobs.files import FileBlobs
from hordenode.store.errors import StoreError, store_error
from hordenode.store.invariants import broken_rules
from hordenode.store.lock import DataDirLock, NodeInfo
from hordenode.store.migrate import back_up, migrate

DATABASE = "hordenode.db"
SECRETS = ("secret.key", "owner.key")
PLAIN = ("models.toml",)
BLOBS = "blobs"
_MEMBER = re.compile(
    rf"{re.escape(DATABASE)}|secret\.key|owner\.key|models\.toml|{BLOBS}(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+"
)


class BackupError(Exception):
    """The backup cannot be made or used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup holds. `missing`: files that went while it was made."""

    files: int
    missing: int
    size: int


def write_backup(data_dir: Path, target: Path) -> Summary:
    """Back up a data directory, whether its node runs or not. `target` is there whole or not at all, for its owner only."""
    if not (data_dir / DATABASE).is_file():
        raise BackupError(f"There is no horde in {data_dir}: nothing to back up. Choose its directory with --data-dir.")
    if not target.absolute().parent.is_dir():
        raise BackupError(f"There is no folder {target.absolute().parent} to write the backup to.")
    part = target.with_name(target.name + ".part")
    try:
        with _explained(f"The backup {target} cannot be written"):
            return _write(data_dir, part, target)
    finally:
        part.unlink(missing_ok=True)


def _write(data_dir: Path, part: Path, target: Path) -> Summary:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent) as scratch, os.fdopen(descriptor, "wb") as out:
        snapshot = Path(scratch) / DATABASE
        back_up(data_dir / DATABASE, snapshot)
        blobs = FileBlobs(data_dir / BLOBS)
        files = missing = 0
        with tarfile.open(fileobj=out, mode="w") as archive:
            archive.add(snapshot, DATABASE)
            for name in (*SECRETS, *PLAIN):
                if (data_dir / name).is_file():
                    archive.add(data_dir / name, name)
            for bucket, key in _named_files(snapshot):
                place = blobs.place(bucket, key)
                for path in (place, blobs.former_place(bucket, key)):
                    with contextlib.suppress(FileNotFoundError):
                        archive.add(path, place.relative_to(data_dir).as_posix())
                        files += 1
                        break
                else:
                    missing += 1
        out.flush()
        os.fsync(out.fileno())
    part.replace(target)
    return Summary(files, missing, target.stat().st_size)


def restore_backup(source: Path, data_dir: Path, *, force: bool = False) -> Path | None:
    """Put a backup in the place of a data directory; returns where its former content was moved, if there was any.

    Raises BackupError for what is no sound backup and, without `force`, where a horde is already; DataDirInUse while its
    node runs. Until all has been checked, nothing is changed.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = DataDirLock(data_dir)
    lock.acquire(NodeInfo.here(""))
    try:
        if (data_dir / DATABASE).exists() and not force:
            raise BackupError(f"There is a horde in {data_dir} already. Use --force to replace it; it is kept beside.")
        with _explained(f"{source} cannot be restored"), tempfile.TemporaryDirectory(dir=data_dir) as scratch:
            _extract(source, Path(scratch))
            _check(Path(scratch) / DATABASE, source)
            return _exchange(Path(scratch), data_dir)
    finally:
        lock.release()


def _extract(source: Path, folder: Path) -> None:
    """Unpack what a backup may hold and nothing else: no links, no paths that lead elsewhere."""
    with tarfile.open(source, "r:") as archive:
        for member in archive:
            if not member.isfile() or not _MEMBER.fullmatch(member.name) or ".." in member.name:
                raise BackupError(f"{source} is not a backup of hordenode: it holds {member.name!r:.80}.")
            place = folder / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            packed = archive.extractfile(member)
            assert packed is not None
            with packed, place.open("wb") as out:
                shutil.copyfileobj(packed, out)
                out.flush()
                os.fsync(out.fileno())
            place.chmod(0o600)


def _check(database: Path, source: Path) -> None:
    if not database.is_file():
        raise BackupError(f"{source} is not a backup of hordenode: it holds no database.")
    migrate(database)  # of an older program's backup; a newer one's is refused
    broken = broken_rules(database)
    if broken:
        raise BackupError(f"The database in {source} is damaged ({'; '.join(broken)}). Use another backup.")


def _exchange(made: Path, data_dir: Path) -> Path | None:
    """Move the former content aside and the new one in."""
    former = data_dir / time.strftime("before-restore-%Y%m%d-%H%M%S", time.gmtime())
    replaced = [data_dir / name for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", *SECRETS, *PLAIN, BLOBS)]
    replaced = [path for path in replaced if path.exists()]
    if replaced:
        former.mkdir(mode=0o700)
    for path in replaced:
        path.rename(former / path.name)
    for path in sorted(made.iterdir()):
        path.rename(data_dir / path.name)
    return former if replaced else None


def _named_files(database: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        yield from connection.execute("SELECT bucket, key FROM blobs ORDER BY bucket, key")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Failures of files, archives and databases as one sentence."""
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{what}: {error}.") from error
    except sqlite3.Error as error:
        raise store_error(error) or BackupError(f"{what}: {error}.") from error
    except StoreError as error:
        raise BackupError(f"{what}: {error}") from error
