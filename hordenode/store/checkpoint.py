"""Moving the journal into the database file while writes go on.

SQLite itself does that at the end of a commit, which then takes several times as long as the others. Here a connection
of its own does it in its thread. What was written meanwhile keeps the journal from being begun anew, so once it has
grown the writing connection moves that little rest between two batches.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol

log = logging.getLogger("hordenode.store")

COMMITS = 32  # after which the journal is moved: about a megabyte
LONG = 4096  # pages in the journal, from which on the writes wait until all of it is moved
FALLBACK = 4 * LONG  # from which on SQLite does it at a commit


class _Connection(Protocol):
    async def hop(self, function: Callable[[sqlite3.Connection], int]) -> int: ...
    def close(self) -> Awaitable[None]: ...


class Checkpoints:
    """For one database. `connection` is nobody else's."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._commits = 0
        self._task: asyncio.Task[None] | None = None
        self._long = False

    def committed(self) -> None:
        """Count a commit."""
        self._commits += 1
        if self._commits >= COMMITS and self._task is None:
            self._commits = 0
            self._task = asyncio.create_task(self._move(), name="checkpoint")

    async def before_batch(self, hop: Callable[[Callable[[sqlite3.Connection], None]], Awaitable[None]]) -> None:
        """On the writing connection: what is left of a long journal, while nothing is being written."""
        if self._long:
            self._long = False
            await hop(_move_quietly)

    async def close(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await asyncio.shield(self._task)
        await self._connection.close()

    async def _move(self) -> None:
        try:
            self._long = await self._connection.hop(move) > LONG
        except sqlite3.Error as error:
            log.warning("the journal could not be moved into the database: %s", error)
        finally:
            self._task = None


def move(connection: sqlite3.Connection) -> int:
    """Write the journal back as far as nobody is in the way; returns how many pages it has, moved or not."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def _move_quietly(connection: sqlite3.Connection) -> None:
    try:
        move(connection)
    except sqlite3.Error as error:
        log.warning("the journal could not be moved into the database: %s", error)
