"""The schema, its migrations and every statement against it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from pathlib import Path

import pytest

from hordenode import store
from hordenode.store.migrate import PACKAGE, load_migrations, migrate, split_statements
from hordenode.store.tx import STATEMENTS, Statement

MODULES = [importlib.import_module(f"hordenode.store.{module.name}") for module in pkgutil.iter_modules(store.__path__)]

# Statements that a request, a pop, a submit or a check runs: none may look at a whole table.
HOT = [
    name
    for name in STATEMENTS
    if name.split(".")[0]
    in {
        "users",
        "ledger",
        "workers",
        "jobs",
        "requests",
        "queue",
        "blobs",
        "transfers",
        "alchemy",
        "styles",
        "collections",
    }
    and name
    not in {
        "workers.all",
        "requests.waiting",
        "queue.lanes",
        "ledger.sum",
        "jobs.in_process",
        "jobs.live",
        "requests.some_waiting",
    }
    and name not in {"users.by_kudos", "users.by_age", "workers.referenced", "jobs.delete_of_worker"}
    and name not in {"alchemy.all_open_forms", "users.by_name", "users.with_monthly", "users.proven"}
    and name not in {"collections.popular", "collections.oldest"}  # one page off an index of what is public
]


def tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Name to definition, without comments and layout: ALTER TABLE adds columns after the last line break."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    plain = {name: re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql)) for name, sql in rows}
    return {name: re.sub(r" ?([(),]) ?", r"\1", sql) for name, sql in plain.items()}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("schema") / "node.db"
    migrate(path)
    return sqlite3.connect(path)


def explain(database: sqlite3.Connection, statement: Statement) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement.sql))
    return [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + statement.sql, parameters)]


def test_migrations_lead_to_the_same_schema_as_a_fresh_database(tmp_path: Path) -> None:
    migrate(tmp_path / "fresh.db")
    assert migrate(tmp_path / "migrated.db", schema=None) == len(load_migrations())
    fresh, migrated = (sqlite3.connect(tmp_path / name) for name in ("fresh.db", "migrated.db"))
    assert tables(fresh) == tables(migrated)
    for table in tables(fresh):
        if table in ("users", "accounts"):
            query = f"SELECT * FROM {table} ORDER BY 1"
            assert fresh.execute(query).fetchall() == migrated.execute(query).fetchall()
    fresh.close()
    migrated.close()


def test_every_statement_is_valid(database: sqlite3.Connection) -> None:
    assert len(STATEMENTS) > 40
    for statement in STATEMENTS.values():
        explain(database, statement)


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_never_scan_a_table(database: sqlite3.Connection, name: str) -> None:
    scans = [
        line for line in explain(database, STATEMENTS[name]) if line.startswith("SCAN") and "CONSTANT ROW" not in line
    ]
    assert not scans, scans


def test_every_statement_is_used_by_its_module() -> None:
    source = "".join(Path(str(module.__file__)).read_text() for module in MODULES)
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, Statement):
                assert len(re.findall(rf"\b{name}\b", source)) > 1, name


def test_split_statements_keeps_semicolons_in_literals() -> None:
    assert split_statements("CREATE TABLE a (b TEXT DEFAULT ';');\n-- end\n") == [
        "CREATE TABLE a (b TEXT DEFAULT ';');"
    ]
    with pytest.raises(ValueError, match="not complete"):
        split_statements("SELECT 1")


def test_migrations_are_inside_the_package() -> None:
    assert (PACKAGE / "schema.sql").is_file()
