"""The database of a node: one writing connection with group commit, reading ones beside it (ARCHITECTURE 3.4).

    await db.write(fn)   fn(tx) runs in a transaction; returns after COMMIT, so what it says is durable
    await db.read(fn)    fn(tx) sees one consistent state

Statements run on the event loop's thread, only what waits for the disk (COMMIT, a lock held by another program) hops to
the connection's own. ARCHITECTURE 3.4 has all of it hop; measured, each of the 70 statements of a round trip then hands
the interpreter lock to the other thread and waits to get it back, 20 us instead of 4, which halved the round trips.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import aiosqlite

from hordenode.ops import metric_names as names
from hordenode.ops.metrics import Metrics
from hordenode.store.checkpoint import FALLBACK, Checkpoints
from hordenode.store.errors import StoreClosed, StoreError, StoreReplaced, store_error
from hordenode.store.guard import FileGuard
from hordenode.store.journal import use_wal
from hordenode.store.tx import Tx, statement
from hordenode.store.writer import Function, Outcome, Writer, run_glance, run_read

T = TypeVar("T")

log = logging.getLogger("hordenode.store")

BUSY_MS = 5000
MAX_BATCH = 128
CACHED_STATEMENTS = 512
# Of pages. What is not there is in the system's memory, some microseconds away: with sixteen times as much no round trip
# took less, and a node grew for ten minutes until both were full.
CACHE_KIB, READ_CACHE_KIB = 4 * 1024, 1024
JOURNAL_LIMIT = 64 * 2**20
LEVELS = ("NORMAL", "FULL", "EXTRA")
DATA_VERSION = statement("database.version", "PRAGMA data_version")


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

    @property
    def raw(self) -> sqlite3.Connection:
        """For use on the event loop, while no hop is under way."""
        return self._conn

    async def hop(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run function(connection) on the connection's own thread: for whatever may wait."""
        return await self._execute(partial(function, self._conn))  # type: ignore[no-any-return,no-untyped-call]


async def connect(path: Path, synchronous: str, *, read_only: bool) -> Connection:
    """Open a connection with the pragmas of a node. StoreError when the file cannot be used."""

    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, isolation_level=None, cached_statements=CACHED_STATEMENTS, check_same_thread=False
        )
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
        use_wal(connection)
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {FALLBACK}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB if read_only else CACHE_KIB}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA busy_timeout = 0")  # the event loop never waits for a lock: store/writer.py


class _Queue:
    """Functions that wait to be written. Whatever has gathered while one batch was committed is the next one."""

    def __init__(
        self, writer: Writer, checkpoints: Checkpoints, publish: Callable[[object], None], metrics: Metrics
    ) -> None:
        self._writer = writer
        self._checkpoints = checkpoints
        self._publish = publish
        self._sizes = metrics.histogram(names.WRITE_BATCH)
        self._seconds = metrics.histogram(names.WRITE_SECONDS)
        self._errors = metrics.counter(names.WRITE_ERRORS)
        self._waiting: deque[tuple[Function, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def length(self) -> int:
        return len(self._waiting)

    def add(self, function: Function) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((function, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="store")
        return future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                outcomes = await self._outcomes([function for function, _ in batch])
                self._waiting.extendleft(reversed(batch[len(outcomes) :]))
                self._settle(batch[: len(outcomes)], outcomes)
                await asyncio.sleep(0)  # those just settled answer their callers before the next batch takes the loop
        finally:
            self._task = None

    async def _outcomes(self, functions: list[Function]) -> list[Outcome]:
        began = perf_counter()
        try:
            await self._checkpoints.before_batch(self._writer.hop)
            outcomes = await self._writer.run(functions)
        except Exception as error:
            outcomes = [Outcome(error=error) for _ in functions]
        self._checkpoints.committed()
        self._seconds.observe(perf_counter() - began)
        self._sizes.observe(len(outcomes))
        return outcomes

    def _settle(self, batch: list[tuple[Function, asyncio.Future[Any]]], outcomes: list[Outcome]) -> None:
        """Events go out before the callers run on, so that they find the memory in step with the commit."""
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            for event in outcome.events:
                self._deliver(event)
            if future.done():
                continue  # its caller was cancelled; what it wrote stays written
            if outcome.error is not None:
                self._errors.value += isinstance(outcome.error, StoreError)
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


class Database:
    """Open with `await Database.open(path)`; migrations are store/migrate.py's."""

    def __init__(
        self,
        writer: Connection,
        reader: Connection,
        checkpointer: Connection,
        guard: FileGuard,
        publish: Callable[[object], None],
        metrics: Metrics,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._closed = False
        self._guard = guard
        self._version = int(writer.raw.execute(DATA_VERSION.sql).fetchone()[0])
        self._checkpoints = Checkpoints(checkpointer)
        made = Writer(writer.raw, writer.hop, guard.check)
        self._committed, self._hints = made.committed, made.hints
        self._queue = _Queue(made, self._checkpoints, publish, metrics)

    @property
    def waiting(self) -> int:
        """Writes that wait for their batch."""
        return self._queue.length

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        synchronous: str = "FULL",
        publish: Callable[[object], None] = lambda event: None,
        metrics: Metrics | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Database:
        """Open the file for writing and reading; `publish` gets the events of committed writes, on the event loop.

        synchronous: FULL survives power loss, NORMAL only the end of the process. on_lost: called on the event loop when
        the file was replaced. StoreError when it cannot be used.
        """
        if synchronous not in LEVELS:
            raise ValueError(f"synchronous is one of {', '.join(LEVELS)}, not {synchronous}")
        opened: list[Connection] = []
        try:
            for read_only in (False, True, False):
                opened.append(await connect(path, synchronous, read_only=read_only))
        except BaseException:
            for connection in opened:
                await connection.close()
            raise
        loop = asyncio.get_running_loop()
        guard = FileGuard(path, partial(_call_on, loop, on_lost))
        writer, reader, checkpointer = opened
        return cls(writer, reader, checkpointer, guard, publish, metrics or Metrics())

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run fn in a transaction; returns its result after COMMIT. A queued write finishes though its caller is cancelled."""
        self._check_open()
        return await self._queue.add(fn)  # type: ignore[no-any-return]

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run fn on a consistent state of the database, at once: reads go by index and take microseconds."""
        self._check_open()
        return run_read(self._reader.raw, self._committed, fn)

    def glance(self, fn: Callable[[Tx], T]) -> T:
        """As `read`, for an fn of one statement: that is consistent by itself, and a third of the time goes into BEGIN."""
        self._check_open()
        return run_glance(self._reader.raw, self._committed, fn)

    def recall(self, fn: Callable[[Tx], T]) -> T:
        """As `glance`, with what the writing connection remembers, committed or not: for what a write checks again."""
        self._check_open()
        return run_glance(self._reader.raw, self._hints, fn)

    async def changed_outside(self) -> bool:
        """Whether another program wrote to the database since this was last asked.

        `PRAGMA data_version` of a connection counts the commits of all others; only the writer writes in this program.
        """
        version = await self.write(lambda tx: int(tx.value(DATA_VERSION)))
        changed, self._version = version != self._version, version
        return changed

    async def close(self) -> None:
        """Finish what is queued, write the journal back, close."""
        if self._closed:
            return
        self._closed = True
        await self._queue.finish()
        await self._reader.close()
        await self._checkpoints.close()
        await self._writer.hop(self._leave)
        await self._writer.close()

    def _leave(self, connection: sqlite3.Connection) -> None:
        """The last thing on the writing connection: the journal goes back into the file, if that is still the one."""
        try:
            self._guard.check(connection)
        except StoreReplaced:
            return  # which it has logged
        _checkpoint(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("The node is stopping.")


def _checkpoint(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        log.warning("the journal could not be written back, the next start will do it: %s", error)


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Have the event loop call it, from another thread."""
    loop.call_soon_threadsafe(function)
