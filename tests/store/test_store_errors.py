"""SQLite's failures in words for whoever runs the node."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hordenode.store.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, store_error


def failure(connection: sqlite3.Connection, *statements: str) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        for statement in statements:
            connection.execute(statement)
    return caught.value


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    made = sqlite3.connect(tmp_path / "t.db", timeout=0, isolation_level=None)
    made.execute("CREATE TABLE t (x)")
    return made


def check(error: sqlite3.Error, kind: type[StoreError], text: str) -> None:
    made = store_error(error)
    assert type(made) is kind
    assert text in str(made)
    assert made.__cause__ is error


def test_a_full_disk(connection: sqlite3.Connection) -> None:
    with closing(connection):
        check(
            failure(connection, "PRAGMA max_page_count = 3", "INSERT INTO t VALUES (zeroblob(100000))"),
            StoreFull,
            "Free some space",
        )


def test_a_database_that_is_not_to_be_written(connection: sqlite3.Connection) -> None:
    with closing(connection):
        check(failure(connection, "PRAGMA query_only = 1", "INSERT INTO t VALUES (1)"), StoreReadOnly, "permissions")


def test_a_database_that_another_program_holds(connection: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(connection), closing(sqlite3.connect(tmp_path / "t.db", timeout=0)) as other:
        connection.execute("BEGIN EXCLUSIVE")
        check(failure(other, "BEGIN IMMEDIATE"), StoreError, "held by another program")


def test_a_damaged_database(connection: sqlite3.Connection, tmp_path: Path) -> None:
    connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    data = bytearray((tmp_path / "t.db").read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    (tmp_path / "t.db").write_bytes(data)
    with closing(sqlite3.connect(tmp_path / "t.db")) as damaged:
        check(failure(damaged, "SELECT sum(length(x)) FROM t"), StoreCorrupt, "restore a backup")


def test_a_mistake_in_a_statement_stays_what_it_is(connection: sqlite3.Connection) -> None:
    with closing(connection):
        assert store_error(failure(connection, "SELECT nothing FROM nowhere")) is None
        assert store_error(sqlite3.ProgrammingError("no code")) is None
