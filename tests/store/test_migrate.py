"""Bringing databases forward, with a backup first; refusing those of a newer program."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hordenode.store.errors import StoreCorrupt
from hordenode.store.migrate import SchemaTooNew, migrate


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
