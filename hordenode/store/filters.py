"""Rows about prompt filters."""

from __future__ import annotations

from hordenode.domain.filters import Filter
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_filter = reader(Filter)

ALL = statement("filters.all", f"SELECT {columns(Filter)} FROM filters ORDER BY filter_type, id")
BY_ID = statement("filters.by_id", f"SELECT {columns(Filter)} FROM filters WHERE id = :id")
BY_REGEX = statement(
    "filters.by_regex", f"SELECT {columns(Filter)} FROM filters WHERE filter_type = :filter_type AND regex = :regex"
)
INSERT = statement("filters.insert", f"INSERT INTO filters ({columns(Filter)}) VALUES ({placeholders(Filter)})")
UPDATE = statement(
    "filters.update",
    "UPDATE filters SET regex = :regex, filter_type = :filter_type, description = :description,"
    " replacement = :replacement WHERE id = :id",
)
DELETE = statement("filters.delete", "DELETE FROM filters WHERE id = :id")


def everything(tx: Tx) -> list[Filter]:
    return [_filter(row) for row in tx.all(ALL)]


def by_id(tx: Tx, filter_id: str) -> Filter | None:
    row = tx.one(BY_ID, id=filter_id)
    return None if row is None else _filter(row)


def by_regex(tx: Tx, filter_type: int, regex: str) -> Filter | None:
    row = tx.one(BY_REGEX, filter_type=filter_type, regex=regex)
    return None if row is None else _filter(row)


def insert(tx: Tx, one: Filter) -> None:
    tx.run(INSERT, **values(one))


def update(tx: Tx, one: Filter) -> None:
    tx.run(
        UPDATE,
        id=one.id,
        regex=one.regex,
        filter_type=one.filter_type,
        description=one.description,
        replacement=one.replacement,
    )


def delete(tx: Tx, filter_id: str) -> None:
    tx.run(DELETE, id=filter_id)
