"""Write-ahead logging: how a database gets it, however many programs open it at once."""

from __future__ import annotations

import sqlite3
import time

from hordenode.store.errors import StoreError

PATIENCE_S = 5.0
PAUSE_S = 0.01


def use_wal(connection: sqlite3.Connection) -> None:
    """Put the database into WAL mode, which it then keeps. Call where waiting is allowed.

    Raises StoreError where the file system cannot do it. The change needs the file to itself for a moment, and SQLite
    does not ask the busy handler while it waits for that (it says SQLITE_BUSY at once), so the waiting is done here.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if not (error.sqlite_errorname or "").startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
    if mode != "wal":  # SQLite keeps another mode without an error where memory cannot be shared, as on NFS
        raise StoreError("The node's database needs a local disk. Choose another data directory.")
