"""Schema versions: numbered .sql files, forward only, each in a transaction with its record (ARCHITECTURE 3.5).

A fresh database gets schema.sql; an existing one is backed up before its migrations run; one that a newer program
wrote is refused.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hordenode.store.errors import StoreError, store_error
from hordenode.store.journal import use_wal

PACKAGE = Path(__file__).parent
BACKUPS_KEPT = 3
# applied_at: UTC milliseconds
_RECORDS = (
    "CREATE TABLE IF NOT EXISTS schema_migrations"
    " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
)
_RECORD = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)"


class SchemaTooNew(StoreError):
    """A newer program has written this database."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str


def load_migrations(folder: Path = PACKAGE / "migrations") -> list[Migration]:
    """All migrations in order. ValueError for none, for a name that is not `0001_words.sql`, or a gap in the numbers."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", path.name)
        if match is None:
            raise ValueError(f"{path.name} is not named like 0001_words.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if not found or [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations in {folder} are not numbered 1, 2, 3, …")
    return found


def migrate(path: Path, folder: Path = PACKAGE / "migrations", schema: Path | None = PACKAGE / "schema.sql") -> int:
    """Bring the database at `path` to the current version; returns how many migrations ran. Others may do so at once.

    schema: the whole current schema for a fresh database; None runs all migrations instead. Raises SchemaTooNew, and
    StoreError when the file cannot be used.
    """
    migrations = load_migrations(folder)
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return _migrate(connection, path, migrations, schema)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise store_error(error) or error from error


def _migrate(connection: sqlite3.Connection, path: Path, migrations: list[Migration], schema: Path | None) -> int:
    use_wal(connection)
    newest = migrations[-1].version
    ran = 0
    while (version := _version(connection)) != newest:
        if version is not None and version > newest:
            raise SchemaTooNew(
                f"The database {path} has schema version {version}, this program knows versions up to {newest}. "
                "Run the newer version of hordenode, or restore a backup from before it."
            )
        if version is None and schema is not None:
            _apply(connection, schema.read_text(encoding="utf-8"), migrations, version)
            continue
        backup = path if version is not None and not ran else None
        migration = migrations[version or 0]
        ran += _apply(connection, migration.sql, [migration], version, backup)
    return ran


def _version(connection: sqlite3.Connection) -> int | None:
    """The schema version, None for a fresh database."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchone()
    if known is None:
        return None
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()[0])


def _apply(
    connection: sqlite3.Connection, sql: str, records: list[Migration], version: int | None, backup: Path | None = None
) -> bool:
    """Run the statements and record the versions in one transaction (executescript would commit in between).

    backup: the database, when it is to be copied first. Does nothing, and says False, when another process has moved
    it on from `version` meanwhile.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) != version:
            connection.execute("ROLLBACK")
            return False
        if backup is not None:
            back_up(backup, backup.with_name(f"{backup.name}.backup-{version}"))
            _drop_old_backups(backup)
        connection.execute(_RECORDS)
        for part in split_statements(sql):
            connection.execute(part)
        applied_at = time.time_ns() // 1_000_000
        for record in records:
            connection.execute(_RECORD, (record.version, record.name, applied_at))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself after some failures
            connection.execute("ROLLBACK")
        raise
    return True


def split_statements(sql: str) -> list[str]:
    """The statements of a script, each complete by SQLite's own rules."""
    found, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if re.sub(r"--[^\n]*", "", pending).strip():
        raise ValueError("the last statement of the script is not complete")
    return found


def back_up(path: Path, target: Path) -> None:
    """A consistent copy of the database; `target` is there whole or not at all. The database may be in use."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _drop_old_backups(path: Path) -> None:
    backups = sorted(path.parent.glob(f"{path.name}.backup-*[0-9]"), key=lambda p: (p.stat().st_mtime_ns, p.name))
    for old in backups[:-BACKUPS_KEPT]:
        old.unlink()
