"""Whether the database is still the file of its name: a node would go on writing into one that was moved or deleted."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hordenode.store.errors import StoreReplaced

log = logging.getLogger("hordenode.store")

RESCUED = ".rescued"


class FileGuard:
    """Made while the file is open. `on_lost` is called once, on the thread of the check."""

    def __init__(self, path: Path, on_lost: Callable[[], None]) -> None:
        self._path = path
        self._on_lost = on_lost
        self._identity = self._look()
        self._lost: StoreReplaced | None = None

    def check(self, connection: sqlite3.Connection) -> None:
        """Raises StoreReplaced when another file, or none, has the name; all that the node knew is then kept in a copy."""
        if self._lost is None and self._look() == self._identity:
            return
        if self._lost is None:
            self._lost = StoreReplaced(
                f"The database {self._path} was replaced or removed while the node ran, so it stops. All that was accepted"
                f" is in {self._rescue(connection)}: put that in its place, or start anew without it."
            )
            log.critical("%s", self._lost)
            self._on_lost()
        raise self._lost

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _rescue(self, connection: sqlite3.Connection) -> Path:
        target = self._path.with_name(self._path.name + RESCUED)
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)
        return target
