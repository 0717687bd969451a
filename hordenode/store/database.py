"""The database of a node: one writing connection with group commit, reading ones beside it (ARCHITECTURE 3.4).

    await db.write(fn)   fn(tx) runs in a transaction; returns after COMMIT, so what it says is durable
    await db.read(fn)    fn(tx) sees one consistent state

Both queue what is asked and run all that is queued in one hop to the connection's thread.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from hordenode.store.errors import StoreClosed, StoreError, store_error
from hordenode.store.tx import Tx
from hordenode.store.writer import MAX_BATCH, Function, Outcome, run_batch, run_reads

T = TypeVar("T")

log = logging.getLogger("hordenode.store")

BUSY_MS = 5000
CACHED_STATEMENTS = 512
JOURNAL_LIMIT = 64 * 2**20
READERS = 2
LEVELS = ("NORMAL", "FULL", "EXTRA")


class Connection(aiosqlite.Connection):
    """aiosqlite with a way to run a function on its thread: the only use of what it keeps private (0.22)."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True  # a process that dies without closing must not wait for the thread

    async def start(self) -> None:
        """Open. When that fails the thread is gone before the error arrives: aiosqlite leaves it behind, talking to the loop."""
        try:
            await self
        except BaseException:
            await asyncio.to_thread(self._thread.join)
            raise

    async def hop(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run function(connection) on the thread that owns the connection."""
        return await self._execute(partial(function, self._conn))  # type: ignore[no-any-return,no-untyped-call]


async def connect(path: Path, synchronous: str, *, read_only: bool) -> Connection:
    """Open a connection with the pragmas of a node. StoreError when the file cannot be used."""

    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=CACHED_STATEMENTS)
        try:
            _set_up(connection, synchronous, read_only=read_only)
        except BaseException:
            connection.close()
            raise
        return connection

    made = Connection(connector)
    try:
        await made.start()
    except sqlite3.Error as error:
        raise store_error(error) or error from error
    return made


def _set_up(connection: sqlite3.Connection, synchronous: str, *, read_only: bool) -> None:
    """busy_timeout first: the other pragmas may have to wait for a lock."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    if not read_only:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":  # SQLite keeps another mode without an error where memory cannot be shared, as on NFS
            raise StoreError("The node's database needs a local disk. Choose another data directory.")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if read_only:
        connection.execute("PRAGMA query_only = ON")


class _Group:
    """Collects functions and runs all that wait as one batch; the next batch gathers while one runs."""

    def __init__(
        self, run: Callable[[list[Function]], Awaitable[list[Outcome]]], publish: Callable[[object], None]
    ) -> None:
        self._run = run
        self._publish = publish
        self._waiting: list[tuple[Function, asyncio.Future[Any]]] = []
        self._running = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def load(self) -> int:
        """How many functions wait or run."""
        return len(self._waiting) + self._running

    def add(self, function: Function) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((function, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="store")
        return future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                self._running = len(batch)
                self._settle(batch, await self._outcomes([function for function, _ in batch]))
        finally:
            self._running = 0
            self._task = None

    async def _outcomes(self, functions: list[Function]) -> list[Outcome]:
        try:
            return await self._run(functions)
        except Exception as error:
            return [Outcome(error=error) for _ in functions]

    def _settle(self, batch: list[tuple[Function, asyncio.Future[Any]]], outcomes: list[Outcome]) -> None:
        """Events go out before the callers run on, so that they find the memory in step with the commit."""
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            for event in outcome.events:
                self._deliver(event)
            if future.done():
                continue  # its caller was cancelled; what it wrote stays written
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)

    def _deliver(self, event: object) -> None:
        """What was written is written: a listener that fails must not fail the writers of the batch."""
        try:
            self._publish(event)
        except Exception:
            log.exception("a listener failed on %s", type(event).__name__)

    async def finish(self) -> None:
        """Wait until nothing is left."""
        while self._task is not None:
            await asyncio.shield(self._task)


def _load(group: _Group) -> int:
    return group.load


class Database:
    """Open with `await Database.open(path)`; migrations are store/migrate.py's."""

    def __init__(self, writer: Connection, readers: list[Connection], publish: Callable[[object], None]) -> None:
        self._writer = writer
        self._readers = readers
        self._closed = False
        self._writes = _Group(lambda functions: writer.hop(lambda c: run_batch(c, functions)), publish)
        self._reads = [
            _Group(lambda functions, r=reader: r.hop(lambda c: run_reads(c, functions)), publish)  # type: ignore[misc]
            for reader in readers
        ]

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        synchronous: str = "FULL",
        readers: int = READERS,
        publish: Callable[[object], None] = lambda event: None,
    ) -> Database:
        """Open the file for writing and reading; `publish` gets the events of committed writes, on the event loop.

        synchronous: FULL survives power loss, NORMAL only the end of the process. StoreError when the file cannot be used.
        """
        if synchronous not in LEVELS:
            raise ValueError(f"synchronous is one of {', '.join(LEVELS)}, not {synchronous}")
        opened: list[Connection] = []
        try:
            for number in range(readers + 1):
                opened.append(await connect(path, synchronous, read_only=number > 0))
        except BaseException:
            for connection in opened:
                await connection.close()
            raise
        return cls(opened[0], opened[1:], publish)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run fn in a transaction; returns its result after COMMIT. A queued write finishes though its caller is cancelled."""
        self._check_open()
        return await self._writes.add(fn)  # type: ignore[no-any-return]

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run fn on a consistent state of the database."""
        self._check_open()
        return await min(self._reads, key=_load).add(fn)  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Finish what is queued, write the journal back, close."""
        if self._closed:
            return
        self._closed = True
        for group in (self._writes, *self._reads):
            await group.finish()
        for reader in self._readers:
            await reader.close()
        await self._writer.hop(_checkpoint)
        await self._writer.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The node is stopping.")


def _checkpoint(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        log.warning("the journal could not be written back, the next start will do it: %s", error)
