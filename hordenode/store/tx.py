"""The tiny statement interface that store functions get: named SQL, rows as tuples, events for after the commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Value = str | bytes | int | float | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with named parameters; metrics and tests know it by `name`."""

    name: str
    sql: str


STATEMENTS: dict[str, Statement] = {}
TELEMETRY: dict[str, Statement] = {}  # those of telemetry.db


def statement(name: str, sql: str, database: dict[str, Statement] = STATEMENTS) -> Statement:
    """Declare a statement next to the function that uses it. ValueError when the name is taken."""
    if name in database:
        raise ValueError(f"the statement {name} is declared twice")
    made = database[name] = Statement(name, sql)
    return made


class Tx:
    """A transaction on the thread of its connection. It may be run twice: its only effects go through this object."""

    __slots__ = ("_execute", "_execute_many", "events")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self.events: list[object] = []

    def all(self, st: Statement, **params: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._execute(st.sql, params).fetchall()

    def one(self, st: Statement, **params: Value) -> tuple[Any, ...] | None:
        """The first row, None without one."""
        row: tuple[Any, ...] | None = self._execute(st.sql, params).fetchone()
        return row

    def value(self, st: Statement, **params: Value) -> Any:
        """The first column of the first row, None without a row. Reads to the end, so that RETURNING takes effect."""
        rows = self._execute(st.sql, params).fetchall()
        return rows[0][0] if rows else None

    def run(self, st: Statement, **params: Value) -> int:
        """The number of rows changed."""
        return self._execute(st.sql, params).rowcount

    def many(self, st: Statement, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run once per row of parameters."""
        self._execute_many(st.sql, rows)

    def emit(self, event: object) -> None:
        """Deliver an event once the transaction is committed; a rollback drops it."""
        self.events.append(event)
