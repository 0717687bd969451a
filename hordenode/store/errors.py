"""What can go wrong with the database, in words for whoever runs the node."""

from __future__ import annotations

import sqlite3


class StoreError(Exception):
    """The store cannot do it now. Its text is public; the cause is chained."""


class StoreFull(StoreError):
    """No space left; works again when there is."""


class StoreReadOnly(StoreError):
    """The database cannot be written."""


class StoreCorrupt(StoreError):
    """The database file is damaged."""


class StoreReplaced(StoreError):
    """Another file stands where the database was: what is written now would be lost with the next start."""


class StoreClosed(StoreError):
    """The node is stopping."""


_BY_CODE: dict[str, tuple[type[StoreError], str]] = {
    "SQLITE_FULL": (
        StoreFull,
        "The disk that holds the node's database is full. Free some space; nothing accepted is lost.",
    ),
    "SQLITE_IOERR": (StoreError, "The disk that holds the node's database fails. Check the disk and its free space."),
    "SQLITE_READONLY": (
        StoreReadOnly,
        "The node's database is read-only. Check the permissions of the data directory.",
    ),
    "SQLITE_CANTOPEN": (
        StoreReadOnly,
        "The node's database cannot be opened. Check the permissions of the data directory.",
    ),
    "SQLITE_CORRUPT": (StoreCorrupt, "The node's database is damaged. Stop the node and restore a backup."),
    "SQLITE_NOTADB": (StoreCorrupt, "The node's database file is not a database. Stop the node and restore a backup."),
    "SQLITE_LOCKED": (StoreError, "The node's database is held by another program. Try again in a moment."),
    "SQLITE_BUSY": (StoreError, "The node's database is held by another program. Try again in a moment."),
}


def store_error(error: sqlite3.Error) -> StoreError | None:
    """The public form of an environment's failure; None for a mistake in a statement, which is ours."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefix, (kind, text) in _BY_CODE.items():
        if name.startswith(prefix):
            made = kind(text)
            made.__cause__ = error
            return made
    return None
