"""The journal goes back into the database while writes go on, and never grows far."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hordenode.store import checkpoint
from hordenode.store.database import Database
from hordenode.store.tx import Statement, Tx
from tests.support.aio import run

INSERT = Statement("insert", "INSERT INTO things (content) VALUES (:content)")
COUNT = Statement("count", "SELECT count(*) FROM things")
PAGE = 4096


async def opened(path: Path) -> Database:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (content BLOB NOT NULL)")
    return await Database.open(path)


def journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_the_journal_stays_short_however_long_the_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, count, size = tmp_path / "d.db", 600, 5 * PAGE
    monkeypatch.setattr(checkpoint, "LONG", 200)

    async def main() -> None:
        db = await opened(path)

        def insert(tx: Tx) -> None:
            tx.run(INSERT, content=b"x" * size)

        for _ in range(count):
            await db.write(insert)
        assert journal(path).stat().st_size < count * size // 2
        assert await db.read(lambda tx: tx.value(COUNT)) == count
        await db.close()

    run(main())
    assert path.stat().st_size > count * size


def test_a_reader_of_an_old_state_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "d.db"

    async def main() -> None:
        db = await opened(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            assert other.execute("SELECT count(*) FROM things").fetchone() == (0,)
            for _ in range(4 * checkpoint.COMMITS):
                await db.write(lambda tx: tx.run(INSERT, content=b"x" * PAGE))
            assert other.execute("SELECT count(*) FROM things").fetchone() == (0,)
        await db.close()

    run(main())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (4 * checkpoint.COMMITS,)


def test_a_journal_that_cannot_be_moved_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __init__(self) -> None:
            self.asked = 0

        async def hop(self, function: object) -> int:
            self.asked += 1
            raise sqlite3.OperationalError("disk I/O error")

        async def close(self) -> None:
            pass

    async def main() -> None:
        connection = Broken()
        checkpoints = checkpoint.Checkpoints(connection)
        for _ in range(2):
            for _ in range(checkpoint.COMMITS):
                checkpoints.committed()
            await checkpoints.close()
        assert connection.asked == 2

    run(main())
    assert "could not be moved into the database: disk I/O error" in caplog.text
