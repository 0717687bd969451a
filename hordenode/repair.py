"""`hordenode doctor --repair`: a data directory put right, after a copy of its database was made."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hordenode.backup import BLOBS, DATABASE, BackupError
from hordenode.blobs.files import FileBlobs
from hordenode.store.lock import DataDirLock, NodeInfo
from hordenode.store.migrate import back_up, migrate
from hordenode.store.repair import repair

YOUNG_S = 3600  # a file that young may belong to a row that is just being written


def repair_data(data_dir: Path) -> Iterator[str]:
    """Repair, and say what was done. Raises DataDirInUse while the node runs, StoreError for what cannot be repaired."""
    database = data_dir / DATABASE
    if not database.is_file():
        raise BackupError(f"There is no horde in {data_dir}: nothing to repair. Choose its directory with --data-dir.")
    lock = DataDirLock(data_dir)
    lock.acquire(NodeInfo.here(""))
    try:
        before = database.stat().st_size
        copy = database.with_name(f"{DATABASE}.before-repair")
        back_up(database, copy)
        migrate(database)
        for rule in repair(database):
            yield f"repaired: {rule}"
        yield f"database: {before / 2**20:.1f} MB before, {database.stat().st_size / 2**20:.1f} MB now"
        yield from _files(data_dir, database)
        yield f"the database as it was is in {copy}"
    finally:
        lock.release()


def _files(data_dir: Path, database: Path) -> Iterator[str]:
    """Files that no row names go, and rows of results without their file."""
    blobs = FileBlobs(data_dir / BLOBS)
    blobs.recover()
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = connection.execute("SELECT bucket, key, size FROM blobs").fetchall()
        known = {blobs.place(bucket, key): size for bucket, key, size in rows}
        lost = [(bucket, key) for bucket, key, _ in rows if not blobs.place(bucket, key).is_file()]
        connection.executemany("DELETE FROM blobs WHERE bucket = ? AND key = ?", lost)
    stray = [
        path
        for path in (data_dir / BLOBS).rglob("*")
        if path.is_file() and path not in known and time.time() - path.stat().st_mtime > YOUNG_S
    ]
    for path in stray:
        path.unlink()
    if lost:
        yield f"forgot {len(lost)} results whose files are gone"
    if stray:
        yield f"removed {len(stray)} files that nothing refers to"
