"""The tiny statement interface that store functions get: named SQL, rows as tuples, events for after the commit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from hordenode.store.memory import Committed, Hints, Key, Memory

T = TypeVar("T")
Value = str | bytes | int | float | None


# The tables of what a Memory holds. Cascades to them begin at `users`, at `teams` (a worker's team), at `shared_keys`.
_REMEMBERED = re.compile(
    r"\b(?:INTO|UPDATE|FROM)\s+(?:users|api_keys|accounts|workers|teams|lanes|waiting_prompts|jobs)\b"
    r"|\bDELETE FROM shared_keys\b",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r":([a-z_]+)")
_VALUES = re.compile(r"\bVALUES (\([^)]*\))")


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with named parameters; metrics and tests know it by `name`.

    keeps: whoever runs it brings what is remembered in step. SQLite binds by position, which is quicker.
    """

    name: str
    sql: str
    keeps: bool = False
    forgets: bool = field(init=False)  # changes what a Memory may hold
    positional: str = field(init=False)
    pick: Callable[[Mapping[str, Value]], tuple[Value, ...]] = field(init=False)  # the parameters in their order
    take: Callable[[object], tuple[Value, ...]] = field(init=False)  # those of an entity
    _repeated: dict[int, str] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        reads = self.sql.lstrip().upper().startswith("SELECT")
        names = list(dict.fromkeys(_PARAMETER.findall(self.sql)))
        made = _PARAMETER.sub(lambda found: f"?{names.index(found[1]) + 1}", self.sql)
        object.__setattr__(self, "forgets", not self.keeps and not reads and _REMEMBERED.search(self.sql) is not None)
        object.__setattr__(self, "positional", made)
        object.__setattr__(self, "pick", _picker(names, itemgetter, dict.__getitem__))
        object.__setattr__(self, "take", _picker(names, attrgetter, getattr))

    def repeated(self, rows: int) -> str:
        """An INSERT with this many rows of VALUES; all its parameters have to be there, each once."""
        made = self._repeated.get(rows)
        if made is None:
            one = _VALUES.search(self.sql)
            if one is None or _PARAMETER.search(self.sql, one.end()):
                raise ValueError(f"{self.name} cannot be repeated")
            row = _PARAMETER.sub("?", one[1])
            made = self._repeated[rows] = f"{self.sql[: one.start(1)]}{', '.join([row] * rows)}{self.sql[one.end(1) :]}"
        return made


def _picker(names: list[str], getter: Callable[..., Any], get: Callable[[Any, str], Any]) -> Callable[[Any], Any]:
    """The getter of one name alone gives no tuple."""
    return getter(*names) if len(names) > 1 else lambda params: tuple(get(params, name) for name in names)


STATEMENTS: dict[str, Statement] = {}
TELEMETRY: dict[str, Statement] = {}  # those of telemetry.db


def statement(name: str, sql: str, database: dict[str, Statement] = STATEMENTS, *, keeps: bool = False) -> Statement:
    """Declare a statement next to the function that uses it. ValueError when the name is taken."""
    if name in database:
        raise ValueError(f"the statement {name} is declared twice")
    made = database[name] = Statement(name, sql, keeps)
    return made


class Tx:
    """A transaction on the thread of its connection. It may be run twice: its only effects go through this object."""

    __slots__ = ("_execute", "_execute_many", "_memory", "events")

    def __init__(self, connection: sqlite3.Connection, memory: Memory | Committed | Hints | None = None) -> None:
        self._memory = memory
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self.events: list[object] = []

    def all(self, st: Statement, **params: Value) -> list[tuple[Any, ...]]:
        """Every row."""
        if st.forgets:
            self._forget()
        return self._execute(st.positional, st.pick(params)).fetchall()

    def one(self, st: Statement, **params: Value) -> tuple[Any, ...] | None:
        """The first row, None without one."""
        if st.forgets:
            self._forget()
        row: tuple[Any, ...] | None = self._execute(st.positional, st.pick(params)).fetchone()
        return row

    def value(self, st: Statement, **params: Value) -> Any:
        """The first column of the first row, None without a row. Reads to the end, so that RETURNING takes effect."""
        if st.forgets:
            self._forget()
        rows = self._execute(st.positional, st.pick(params)).fetchall()
        return rows[0][0] if rows else None

    def run(self, st: Statement, **params: Value) -> int:
        """The number of rows changed."""
        if st.forgets:
            self._forget()
        return self._execute(st.positional, st.pick(params)).rowcount

    def store(self, st: Statement, entity: object) -> int:
        """As `run`, with the fields of an entity (store/rows.py) as parameters, which is quicker."""
        if st.forgets:
            self._forget()
        return self._execute(st.positional, st.take(entity)).rowcount

    def many(self, st: Statement, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run once per row of parameters."""
        if st.forgets:
            self._forget()
        self._execute_many(st.positional, map(st.pick, rows))

    def insert(self, st: Statement, rows: Sequence[Sequence[Value]]) -> None:
        """All rows with one statement: for a few, which is quicker than one after the other.

        rows: each as it stands in the statement's VALUES.
        """
        if st.forgets:
            self._forget()
        if rows:
            self._execute(st.repeated(len(rows)), tuple(chain.from_iterable(rows)))

    def remembered(self, key: Key, read: Callable[[], T | None]) -> T | None:
        """What `read` found for this key before, if this connection remembers it; nothing found is not remembered."""
        memory = self._memory
        if memory is None:
            return read()
        found: T | None = memory.get(key)
        if found is None:
            found = read()
            if found is not None:
                memory.keep(key, found)
        return found

    def now_is(self, key: Key, value: object | None) -> None:
        """A statement that keeps the memory made this the value for a key; None: there is none, or who knows."""
        if self._memory is not None:
            self._memory.change(key, value)

    def let_go(self, key: Key) -> None:
        """What nobody will change any more need not be remembered for writing."""
        if self._memory is not None:
            self._memory.let_go(key)

    def revise(self, key: Key, change: Callable[[Any], Any]) -> None:
        """Bring what is remembered for this key, if anything is, in step with a statement that keeps the memory."""
        memory = self._memory
        if memory is not None:
            known = memory.get(key)
            if known is not None:
                memory.change(key, change(known))

    def _forget(self) -> None:
        if self._memory is not None:
            self._memory.forget()

    def emit(self, event: object) -> None:
        """Deliver an event once the transaction is committed; a rollback drops it."""
        self.events.append(event)
