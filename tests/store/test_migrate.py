"""Bringing databases forward, with a backup first; refusing those of a newer program."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hordenode.store.errors import StoreCorrupt
from hordenode.store.migrate import SchemaTooNew, load_migrations, migrate


def folder(base: Path, *scripts: str) -> Path:
    target = base / "migrations"
    target.mkdir(exist_ok=True)
    for number, script in enumerate(scripts, 1):
        (target / f"{number:04}_step.sql").write_text(script)
    return target


def column(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM a").fetchall()
    finally:
        connection.close()


def test_only_missing_migrations_run_and_a_backup_is_made_first(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    one = "CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);"
    assert migrate(db, folder(tmp_path, one), schema=None) == 1
    assert not list(tmp_path.glob("*.backup-*"))
    assert migrate(db, folder(tmp_path, one, "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 2;"), schema=None) == 1
    assert column(db) == [(1, 2)]
    assert column(tmp_path / "node.db.backup-1") == [(1,)]
    assert migrate(db, folder(tmp_path), schema=None) == 0


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    one = "CREATE TABLE a (x INTEGER);"
    migrate(db, folder(tmp_path, one), schema=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, folder(tmp_path, one, "INSERT INTO a VALUES (5);\nINSERT INTO missing VALUES (1);"), schema=None)
    assert column(db) == []
    assert migrate(db, folder(tmp_path, one, "INSERT INTO a VALUES (6);"), schema=None) == 1
    assert column(db) == [(6,)]


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    migrate(db)
    connection = sqlite3.connect(db)
    connection.execute("INSERT INTO schema_migrations VALUES (999, 'future', 0)")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaTooNew, match="newer version of hordenode"):
        migrate(db)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    db.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreCorrupt, match="restore a backup"):
        migrate(db)


def test_three_backups_are_kept(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    scripts = ["CREATE TABLE a (x INTEGER);"]
    migrate(db, folder(tmp_path, *scripts), schema=None)
    for i in range(5):
        scripts.append(f"INSERT INTO a VALUES ({i});")
        migrate(db, folder(tmp_path, *scripts), schema=None)
    assert len(list(tmp_path.glob("*.backup-*"))) == 3


def test_a_fresh_database_gets_the_schema_and_the_record_of_all_versions(tmp_path: Path) -> None:
    schema = tmp_path / "schema.sql"
    schema.write_text("-- the whole; at once\nCREATE TABLE a (x INTEGER, y INTEGER);\n")
    scripts = folder(tmp_path, "CREATE TABLE a (x INTEGER);", "ALTER TABLE a ADD COLUMN y INTEGER;")
    before = time.time() * 1000 - 1
    assert migrate(tmp_path / "node.db", scripts, schema) == 0
    connection = sqlite3.connect(tmp_path / "node.db")
    records = connection.execute("SELECT version, name, applied_at FROM schema_migrations").fetchall()
    connection.close()
    assert [record[:2] for record in records] == [(1, "step"), (2, "step")]
    assert all(before <= record[2] <= time.time() * 1000 for record in records)
    assert column(tmp_path / "node.db") == []
    assert not list(tmp_path.glob("*.backup-*"))


def test_several_programs_may_migrate_at_once_and_the_backup_is_of_before(tmp_path: Path) -> None:
    db, inserts = tmp_path / "node.db", [f"INSERT INTO a VALUES ({i});" for i in range(5)]

    def four(*scripts: str) -> int:
        folder(tmp_path, *scripts)
        start = threading.Barrier(4)

        def one(_: int) -> int:
            start.wait()
            return migrate(db, tmp_path / "migrations", schema=None)

        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(one, range(4)))

    create = "CREATE TABLE a (x INTEGER);"
    assert four(create) == 1
    assert four(create, *inserts) == 5
    assert column(db) == [(i,) for i in range(5)]
    assert column(tmp_path / "node.db.backup-1") == []


def test_a_backup_that_fails_stops_the_migration_and_leaves_no_half_copy(tmp_path: Path) -> None:
    db = tmp_path / "node.db"
    one = "CREATE TABLE a (x INTEGER);"
    migrate(db, folder(tmp_path, one), schema=None)
    (tmp_path / "node.db.backup-1").mkdir()  # a file cannot replace a folder
    with pytest.raises(OSError, match="backup-1"):
        migrate(db, folder(tmp_path, one, "INSERT INTO a VALUES (1);"), schema=None)
    assert column(db) == []
    assert [path.name for path in tmp_path.glob("*.part*")] == []


@pytest.mark.parametrize("names", [[], ["1_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0002_a.sql"], ["0001-a.sql"]])
def test_migrations_that_are_not_numbered_one_by_one_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match="not n"):
        load_migrations(tmp_path)
