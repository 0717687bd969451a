"""The tiny statement interface that store functions get: named SQL, rows as tuples, events for after the commit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Value = str | bytes | int | float | None


# What nearly every call reads and few change. A cascade from `users` to `api_keys` begins at `users`.
_REMEMBERED = re.compile(r"\b(?:INTO|UPDATE|FROM)\s+(?:users|api_keys)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with named parameters; metrics and tests know it by `name`."""

    name: str
    sql: str
    forgets: bool = field(init=False)  # changes what a Memory may hold

    def __post_init__(self) -> None:
        reads = self.sql.lstrip().upper().startswith("SELECT")
        object.__setattr__(self, "forgets", not reads and _REMEMBERED.search(self.sql) is not None)


MOST_REMEMBERED = 5000
STATEMENTS: dict[str, Statement] = {}
TELEMETRY: dict[str, Statement] = {}  # those of telemetry.db


def statement(name: str, sql: str, database: dict[str, Statement] = STATEMENTS) -> Statement:
    """Declare a statement next to the function that uses it. ValueError when the name is taken."""
    if name in database:
        raise ValueError(f"the statement {name} is declared twice")
    made = database[name] = Statement(name, sql)
    return made


class Memory:
    """Rows of the users and their keys as the writing connection last read them.

    Every statement that changes those tables empties it, and so do a rollback and another program's writes (writer.py).
    """

    def __init__(self) -> None:
        self.known: dict[Hashable, Any] = {}

    def forget(self) -> None:
        self.known.clear()


class Tx:
    """A transaction on the thread of its connection. It may be run twice: its only effects go through this object."""

    __slots__ = ("_execute", "_execute_many", "_memory", "events")

    def __init__(self, connection: sqlite3.Connection, memory: Memory | None = None) -> None:
        self._memory = memory
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self.events: list[object] = []

    def all(self, st: Statement, **params: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        if st.forgets:
            self._forget()
        return self._execute(st.sql, params).fetchall()

    def one(self, st: Statement, **params: Value) -> tuple[Any, ...] | None:
        """The first row, None without one."""
        if st.forgets:
            self._forget()
        row: tuple[Any, ...] | None = self._execute(st.sql, params).fetchone()
        return row

    def value(self, st: Statement, **params: Value) -> Any:
        """The first column of the first row, None without a row. Reads to the end, so that RETURNING takes effect."""
        if st.forgets:
            self._forget()
        rows = self._execute(st.sql, params).fetchall()
        return rows[0][0] if rows else None

    def run(self, st: Statement, **params: Value) -> int:
        """The number of rows changed."""
        if st.forgets:
            self._forget()
        return self._execute(st.sql, params).rowcount

    def many(self, st: Statement, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run once per row of parameters."""
        if st.forgets:
            self._forget()
        self._execute_many(st.sql, rows)

    def remembered(self, key: Hashable, read: Callable[[], T | None]) -> T | None:
        """What `read` found for this key before, if this connection remembers it; nothing found is not remembered."""
        memory = self._memory
        if memory is None:
            return read()
        found: T | None = memory.known.get(key)
        if found is None:
            found = read()
            if found is not None:
                if len(memory.known) >= MOST_REMEMBERED:
                    memory.forget()
                memory.known[key] = found
        return found

    def _forget(self) -> None:
        if self._memory is not None:
            self._memory.forget()

    def emit(self, event: object) -> None:
        """Deliver an event once the transaction is committed; a rollback drops it."""
        self.events.append(event)
