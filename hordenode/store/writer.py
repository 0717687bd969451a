"""Group commit: what is queued runs as one transaction, and each function fails alone (ARCHITECTURE 3.4).

Most functions that raise do so before they change anything (an unknown key, a broken rule), so there is nothing to undo.
Only when one raises after a change is the batch rolled back and its members run singly; that is dearer than the
savepoint per function of ARCHITECTURE, but it costs nothing in all the other batches.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from hordenode.store.errors import StoreReplaced, store_error
from hordenode.store.memory import Committed, Hints, Memory
from hordenode.store.tx import Tx

log = logging.getLogger("hordenode.store")

DATA_VERSION = "PRAGMA data_version"
SLOW_S = 0.020
BATCH_S = 0.004  # so that a batch never keeps the event loop for long
PATIENCE_MS = 5000


@dataclass(slots=True)
class Outcome:
    """What one function of a batch came to."""

    result: Any = None
    error: BaseException | None = None
    events: Sequence[object] = ()


Function = Callable[[Tx], Any]
Step = Callable[[sqlite3.Connection], None]
T = TypeVar("T")


class _Undo(Exception):
    """The transaction cannot be committed as it is, because of `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Writer:
    """Runs batches on one connection: statements where it is called, waiting through `hop` on another thread.

    check: called there after each commit; raises StoreReplaced.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        hop: Callable[[Step], Awaitable[None]],
        check: Step = lambda connection: None,
    ) -> None:
        self._connection = connection
        self.hop = hop
        self._check = check
        self._memory = Memory()
        self.committed, self.hints = self._memory.committed, Hints(self._memory)
        self._version = -1  # of the file, as other programs changed it

    async def run(self, functions: list[Function]) -> list[Outcome]:
        """One transaction with as many of the functions as fit into the time of a batch; an outcome for each of those.

        When the transaction itself fails (disk full), its members run again, one by one.
        """
        try:
            return await self._transaction(functions)
        except _Undo as undo:
            error = undo.error
        except StoreReplaced as lost:
            return [Outcome(error=lost) for _ in functions]
        except sqlite3.Error as failure:
            error = failure
        self._memory.forget()
        await self.hop(_rollback)
        if len(functions) == 1:
            return [Outcome(error=public(error))]
        return [(await self.run([function]))[0] for function in functions]

    async def _transaction(self, functions: list[Function]) -> list[Outcome]:
        connection = self._connection
        await self._begin()
        self._notice()
        before = connection.total_changes
        began = now = time.perf_counter()
        outcomes = []
        for function in functions:
            outcomes.append(_guarded(connection, function, self._memory))
            before_it, now = now, time.perf_counter()
            if now - before_it > SLOW_S:
                log.warning("write %s took %.0f ms", _name(function), (now - before_it) * 1000)
            if now - began > BATCH_S:
                break
        if connection.total_changes == before:
            _commit(connection)  # nothing to wait for
        else:
            await self.hop(self._commit)
        self._memory.settle()
        return outcomes

    def _notice(self) -> None:
        """Another program, such as the command line beside a node, may have changed what is remembered."""
        version = self._connection.execute(DATA_VERSION).fetchone()[0]
        if version != self._version:
            self._version = version
            self._memory.forget()

    def _commit(self, connection: sqlite3.Connection) -> None:
        """What a file took that nobody will open again is not durable: `check` raises before anybody is told."""
        _commit(connection)
        self._check(connection)

    async def _begin(self) -> None:
        """Usually the lock is free. Another program (`hordenode user create`) may hold it for a moment."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                raise
            await self.hop(_begin_patiently)


def _begin_patiently(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _guarded(connection: sqlite3.Connection, function: Function, memory: Memory) -> Outcome:
    """One function: its exception is its own, unless changes have to be undone with it."""
    tx = Tx(connection, memory)
    before = connection.total_changes
    try:
        return Outcome(function(tx), events=tx.events)
    except BaseException as error:
        if connection.total_changes != before or not connection.in_transaction or _disk_failed(error):
            raise _Undo(error) from error
        return Outcome(error=public(error))


def _disk_failed(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and store_error(error) is not None


def _name(function: Function) -> str:
    """Where a function is from. Never its repr: that of a partial shows its arguments."""
    inner = function.func if isinstance(function, partial) else function
    return f"{inner.__module__}.{getattr(inner, '__qualname__', type(inner).__qualname__)}"


def public(error: BaseException) -> BaseException:
    """What the caller gets for an exception."""
    if isinstance(error, sqlite3.Error):
        return store_error(error) or error
    if isinstance(error, StopIteration):  # a future refuses it
        made = RuntimeError("a store function raised StopIteration")
        made.__cause__ = error
        return made
    return error


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def run_read(connection: sqlite3.Connection, committed: Committed, function: Callable[[Tx], T]) -> T:
    """Run a read on one consistent state of the database."""
    try:
        connection.execute("BEGIN")
        try:
            return function(Tx(connection, committed))
        finally:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise store_error(error) or error from error


def run_glance(connection: sqlite3.Connection, committed: Committed | Hints, function: Callable[[Tx], T]) -> T:
    """Run a read of one statement."""
    try:
        return function(Tx(connection, committed))
    except sqlite3.Error as error:
        raise store_error(error) or error from error
