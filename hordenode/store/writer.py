"""Group commit: what is queued runs as one transaction, each function under its own savepoint (ARCHITECTURE 3.4)."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hordenode.store.errors import store_error
from hordenode.store.tx import Tx

log = logging.getLogger("hordenode.store")

SLOW_S = 0.020
MAX_BATCH = 128


@dataclass(slots=True)
class Outcome:
    """What one function of a batch came to."""

    result: Any = None
    error: BaseException | None = None
    events: Sequence[object] = ()


Function = Callable[[Tx], Any]


def run_batch(connection: sqlite3.Connection, functions: list[Function]) -> list[Outcome]:
    """Run on the connection's thread. When the batch itself fails (disk full), its members run again, one by one."""
    try:
        return _transaction(connection, functions)
    except sqlite3.Error as error:
        _rollback(connection)
        if len(functions) == 1:
            return [Outcome(error=public(error))]
    return [run_batch(connection, [function])[0] for function in functions]


def _transaction(connection: sqlite3.Connection, functions: list[Function]) -> list[Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    outcomes = [_guarded(connection, function) for function in functions]
    connection.execute("COMMIT")
    return outcomes


def _guarded(connection: sqlite3.Connection, function: Function) -> Outcome:
    """One function under a savepoint: its exception undoes only its own changes."""
    connection.execute("SAVEPOINT f")
    tx = Tx(connection)
    began = time.perf_counter()
    try:
        result = function(tx)
    except BaseException as error:
        if isinstance(error, sqlite3.Error) and (not connection.in_transaction or store_error(error) is not None):
            raise  # SQLite rolled everything back, or the disk failed: the whole batch is in doubt
        outcome = Outcome(error=public(error))
    else:
        connection.execute("RELEASE f")
        outcome = Outcome(result, events=tx.events)
    if outcome.error is not None:
        connection.execute("ROLLBACK TO f")
        connection.execute("RELEASE f")
    took = time.perf_counter() - began
    if took > SLOW_S:
        log.warning("write %s took %.0f ms", _name(function), took * 1000)
    return outcome


def _name(function: Function) -> str:
    """Where a function is from. Never its repr: that of a partial shows its arguments."""
    inner = function.func if isinstance(function, partial) else function
    return f"{inner.__module__}.{getattr(inner, '__qualname__', type(inner).__qualname__)}"


def public(error: BaseException) -> BaseException:
    """What the caller gets for an exception."""
    if isinstance(error, sqlite3.Error):
        return store_error(error) or error
    if isinstance(error, StopIteration):  # a future refuses it
        made = RuntimeError("a store function raised StopIteration")
        made.__cause__ = error
        return made
    return error


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def run_reads(connection: sqlite3.Connection, functions: list[Function]) -> list[Outcome]:
    """Run reads on one consistent state of the database."""
    try:
        connection.execute("BEGIN")
        try:
            return [_read(connection, function) for function in functions]
        finally:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        _rollback(connection)
        return [Outcome(error=public(error)) for _ in functions]


def _read(connection: sqlite3.Connection, function: Function) -> Outcome:
    try:
        return Outcome(function(Tx(connection)))
    except BaseException as error:
        return Outcome(error=public(error))
