"""Group commit, savepoints, events and failures of the database."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from hordenode.store.database import Connection, Database
from hordenode.store.errors import StoreClosed, StoreFull, StoreReadOnly
from hordenode.store.migrate import migrate
from hordenode.store.tx import STATEMENTS, Tx, statement
from tests.support.aio import run

MAKE = statement("test.make", "CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, pad TEXT)")
ADD = statement("test.add", "INSERT INTO t (x, pad) VALUES (:x, :pad)")
COUNT = statement("test.count", "SELECT count(*) FROM t")
PAGES = statement("test.pages", "PRAGMA page_count")
LIMIT = statement("test.limit", "PRAGMA max_page_count = 40")
UNLIMIT = statement("test.unlimit", "PRAGMA max_page_count = 1000000")
for _statement in (MAKE, ADD, COUNT, PAGES, LIMIT, UNLIMIT):
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


def test_slow_writes_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        db = await opened(tmp_path)

        def slow_one(tx: Tx) -> None:
            for x in range(60_000):
                tx.run(ADD, x=x, pad="")

        with caplog.at_level(logging.WARNING, "hordenode.store"):
            await db.write(slow_one)
        await db.close()

    run(main())
    assert "slow_one took" in caplog.text


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
