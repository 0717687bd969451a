"""Group commit, savepoints, events and failures of the database."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from hordenode.store.database import Connection, Database, connect
from hordenode.store.errors import StoreClosed, StoreCorrupt, StoreError, StoreFull, StoreReadOnly
from hordenode.store.migrate import migrate
from hordenode.store.tx import STATEMENTS, Tx, statement
from tests.support.aio import run

MAKE = statement("test.make", "CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, pad TEXT)")
ADD = statement("test.add", "INSERT INTO t (x, pad) VALUES (:x, :pad)")
COUNT = statement("test.count", "SELECT count(*) FROM t")
LIMIT = statement("test.limit", "PRAGMA max_page_count = 40")
UNLIMIT = statement("test.unlimit", "PRAGMA max_page_count = 1000000")
ROWS = statement("test.rows", "SELECT x FROM t WHERE x >= :least ORDER BY x")
DROP = statement("test.drop", "DELETE FROM t WHERE x >= :least")
MAKE_CHILD = statement(
    "test.make_child", "CREATE TABLE child (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)"
)
ORPHAN = statement("test.orphan", "INSERT INTO child VALUES (12345)")
for _statement in (MAKE, ADD, COUNT, LIMIT, UNLIMIT, ROWS, DROP, MAKE_CHILD, ORPHAN):
    del STATEMENTS[_statement.name]  # not part of the program's own statements


async def opened(tmp_path: Path, events: list[object] | None = None) -> Database:
    db = await Database.open(tmp_path / "t.db", publish=(events if events is not None else []).append)
    await db.write(lambda tx: tx.run(MAKE))
    return db


def add(x: int, pad: str = "") -> Callable[[Tx], int]:
    def write(tx: Tx) -> int:
        tx.run(ADD, x=x, pad=pad)
        tx.emit(x)
        return x

    return write


def test_aiosqlite_still_has_what_the_hop_uses() -> None:
    assert aiosqlite.__version__.startswith("0.22."), "check Connection.hop against the new version"
    assert list(inspect.signature(aiosqlite.Connection._execute).parameters) == ["self", "fn", "args", "kwargs"]
    assert "_conn" in dir(aiosqlite.Connection)
    assert issubclass(Connection, aiosqlite.Connection)
    assert list(inspect.signature(aiosqlite.Connection.__init__).parameters)[1:3] == ["connector", "iter_chunk_size"]


def test_a_hop_runs_on_the_one_thread_of_its_connection(tmp_path: Path) -> None:
    async def main() -> None:
        connection = await connect(tmp_path / "t.db", "FULL", read_only=False)
        try:
            threads = {await connection.hop(lambda c: threading.current_thread()) for _ in range(3)}
        finally:
            await connection.close()
        (thread,) = threads
        assert thread is not threading.current_thread()
        assert thread.daemon

    run(main())


def test_a_write_is_visible_to_reads_and_its_event_comes_after_the_commit(tmp_path: Path) -> None:
    async def main() -> None:
        events: list[object] = []
        db = await opened(tmp_path, events)
        results = await asyncio.gather(*(db.write(add(x)) for x in range(100)))
        assert results == list(range(100))
        assert events == list(range(100))
        assert await db.read(lambda tx: tx.value(COUNT)) == 100
        await db.close()

    run(main())


def test_an_exception_rolls_back_only_its_own_function(tmp_path: Path) -> None:
    async def main() -> None:
        events: list[object] = []
        db = await opened(tmp_path, events)

        def bad(tx: Tx) -> None:
            tx.run(ADD, x=500, pad="")
            tx.emit("never")
            raise KeyError("mine")

        writes: list[Coroutine[Any, Any, Any]] = [db.write(add(1)), db.write(bad), db.write(add(1)), db.write(add(2))]
        one, failed, duplicate, two = await asyncio.gather(*writes, return_exceptions=True)
        assert [one, two] == [1, 2]
        assert isinstance(failed, KeyError)
        assert "UNIQUE" in str(duplicate)
        assert events == [1, 2]
        assert await db.read(lambda tx: tx.value(COUNT)) == 2
        await db.close()

    run(main())


def test_a_write_finishes_although_its_caller_was_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        task = asyncio.create_task(db.write(add(7)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await db.write(add(8))
        assert await db.read(lambda tx: tx.value(COUNT)) == 2
        await db.close()

    run(main())


def test_readers_cannot_write(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        with pytest.raises(StoreReadOnly):
            await db.read(add(1))
        await db.close()

    run(main())


def test_a_full_disk_fails_only_what_does_not_fit_and_heals(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        await db.write(lambda tx: tx.value(LIMIT))
        large = "x" * 400_000
        results = await asyncio.gather(
            db.write(add(1)),
            db.write(add(2, large)),
            db.write(add(3)),
            return_exceptions=True,
        )
        assert isinstance(results[1], StoreFull)
        assert [results[0], results[2]] == [1, 3]
        await db.write(lambda tx: tx.value(UNLIMIT))
        assert await db.write(add(2, large)) == 2
        assert await db.read(lambda tx: tx.value(COUNT)) == 3
        await db.close()

    run(main())


def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        writes = [asyncio.create_task(db.write(add(x))) for x in range(300)]
        await asyncio.sleep(0)
        await db.close()
        assert await asyncio.gather(*writes) == list(range(300))
        with pytest.raises(StoreClosed):
            await db.write(add(1000))

    run(main())


def test_slow_writes_are_logged_by_name_and_without_arguments(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def slow_one(prompt: str, tx: Tx) -> None:
        for x in range(60_000):
            tx.run(ADD, x=x, pad=prompt)

    async def main() -> None:
        db = await opened(tmp_path)
        with caplog.at_level(logging.WARNING, "hordenode.store"):
            await db.write(partial(slow_one, "secret"))
        await db.close()

    run(main())
    assert "slow_one took" in caplog.text
    assert "secret" not in caplog.text


def test_a_node_database_has_the_anonymous_user_and_balanced_accounts(tmp_path: Path) -> None:
    async def main() -> None:
        from hordenode.store import ledger, users

        migrate(tmp_path / "n.db")
        db = await Database.open(tmp_path / "n.db")
        anonymous = await db.read(lambda tx: users.find(tx, 0))
        assert anonymous is not None and anonymous.alias == "Anonymous#0"
        assert await db.read(ledger.total) == 0
        await db.close()

    run(main())


def test_statements_have_one_name_each() -> None:
    statement("test.twice", "SELECT 1")
    try:
        with pytest.raises(ValueError, match=r"test\.twice is declared twice"):
            statement("test.twice", "SELECT 2")
    finally:
        del STATEMENTS["test.twice"]


def test_connections_have_the_pragmas_of_a_node(tmp_path: Path) -> None:
    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("busy_timeout", "journal_mode", "synchronous", "foreign_keys", "temp_store", "query_only")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    async def main() -> None:
        writer = await connect(tmp_path / "t.db", "FULL", read_only=False)
        reader = await connect(tmp_path / "t.db", "NORMAL", read_only=True)
        try:
            assert await writer.hop(pragmas) == [0, "wal", 2, 1, 2, 0]
            assert await reader.hop(pragmas) == [5000, "wal", 1, 1, 2, 1]
        finally:
            await reader.close()
            await writer.close()

    run(main())


def test_an_unknown_level_of_safety_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NORMAL, FULL, EXTRA"):
        run(Database.open(tmp_path / "t.db", synchronous="fast"))


def test_a_database_that_cannot_keep_a_journal_beside_it_is_refused() -> None:
    with pytest.raises(StoreError, match="local disk"):
        run(Database.open(Path(":memory:")))


def test_a_file_that_is_no_database_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreCorrupt, match="restore a backup") as caught:
        run(Database.open(tmp_path / "t.db"))
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
    with pytest.raises(StoreReadOnly, match="permissions"):
        run(Database.open(tmp_path / "missing" / "t.db"))


def test_an_open_that_fails_half_way_leaves_nothing_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    async def main() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        failures = 0
        for margin in range(12):
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + margin, hard))
            try:
                db = await Database.open(tmp_path / "t.db")
            except StoreReadOnly as error:
                assert "cannot be opened" in str(error)
                failures += 1
            else:
                await db.close()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert 0 < failures < 12

    before = set(threading.enumerate())
    run(main())
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    assert not (tmp_path / "t.db-wal").exists()


def test_a_group_of_reads_sees_one_state_and_a_new_one_what_was_written_before(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        for x in range(20):
            await db.write(add(x))
            counts = await asyncio.gather(*(db.read(lambda tx: tx.value(COUNT)) for _ in range(10)))
            assert counts == [x + 1] * 10
        await db.close()

    run(main())


def test_a_read_that_fails_leaves_the_others_of_its_group_alone(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        unknown = statement("test.unknown", "SELECT * FROM nowhere")
        del STATEMENTS[unknown.name]
        reads = [
            db.read(lambda tx: tx.all(unknown)),
            db.read(lambda tx: tx.all(COUNT)),
            db.read(lambda tx: tx.all(COUNT)),
        ]
        failed, *others = await asyncio.gather(*reads, return_exceptions=True)
        assert isinstance(failed, sqlite3.OperationalError)
        assert others == [[(0,)], [(0,)]]
        await db.close()

    run(main())


def test_many_inserts_every_row_and_one_gives_none_without_a_row(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        await db.write(lambda tx: tx.many(ADD, [{"x": x, "pad": "p"} for x in range(3)]))
        assert await db.read(lambda tx: tx.all(ROWS, least=1)) == [(1,), (2,)]
        assert await db.read(lambda tx: tx.one(ROWS, least=2)) == (2,)
        assert await db.read(lambda tx: tx.one(ROWS, least=9)) is None
        assert await db.read(lambda tx: tx.value(ROWS, least=9)) is None
        assert await db.write(lambda tx: tx.run(DROP, least=1)) == 2
        await db.close()

    run(main())


@pytest.mark.parametrize("raised", [StopIteration(), asyncio.CancelledError()])
def test_whatever_a_function_raises_the_rest_of_the_batch_goes_on(tmp_path: Path, raised: BaseException) -> None:
    async def main() -> None:
        db = await opened(tmp_path)

        def bad(tx: Tx) -> None:
            raise raised

        writes = [asyncio.create_task(db.write(fn)) for fn in (add(1), bad, add(2))]
        reading = asyncio.create_task(db.read(bad))
        await asyncio.wait([writes[0], writes[2]])
        assert [writes[0].result(), writes[2].result()] == [1, 2]
        for failed in (writes[1], reading):
            with pytest.raises((RuntimeError, asyncio.CancelledError)):
                await failed
        assert await db.read(lambda tx: tx.value(COUNT)) == 2
        await db.close()

    run(main())


def test_a_listener_that_fails_does_not_fail_the_writers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def publish(event: object) -> None:
        if event == 1:
            raise KeyError("mine")
        heard.append(event)

    async def main() -> None:
        db = await Database.open(tmp_path / "t.db", publish=publish)
        await db.write(lambda tx: tx.run(MAKE))
        assert list(await asyncio.gather(db.write(add(1)), db.write(add(2)))) == [1, 2]
        await db.close()

    heard: list[object] = []
    run(main())
    assert heard == [2]
    assert "a listener failed on int" in caplog.text


def test_a_commit_that_fails_fails_only_the_function_that_is_to_blame(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        await db.write(lambda tx: tx.run(MAKE_CHILD))
        results = await asyncio.gather(
            db.write(add(1)), db.write(lambda tx: tx.run(ORPHAN)), db.write(add(2)), return_exceptions=True
        )
        assert results[0] == 1
        assert isinstance(results[1], sqlite3.IntegrityError)
        assert results[2] == 2
        assert await db.read(lambda tx: tx.value(COUNT)) == 2
        await db.close()

    run(main())


def test_another_program_may_write_in_between(tmp_path: Path) -> None:
    async def main() -> None:
        one = await opened(tmp_path)
        other = await Database.open(tmp_path / "t.db")
        await asyncio.gather(*((one, other)[x % 2].write(add(x)) for x in range(50)))
        assert await one.read(lambda tx: tx.value(COUNT)) == 50
        await other.close()
        await one.close()

    run(main())


def test_closing_writes_the_journal_back(tmp_path: Path) -> None:
    async def main() -> None:
        db = await opened(tmp_path)
        await db.write(add(1))
        assert (tmp_path / "t.db-wal").stat().st_size > 0
        await db.close()
        await db.close()

    run(main())
    assert not (tmp_path / "t.db-wal").exists()
