"""Rows to entities: SQLite has no booleans and no enums."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec.structs import asdict, fields

from hordenode.domain.entities import JobState, Kind

E = TypeVar("E", bound=msgspec.Struct)
# Looked up by the stored value, which is quicker than calling the type.
_CONVERT: dict[Any, dict[Any, Any]] = {
    bool: {0: False, 1: True},
    Kind: {kind.value: kind for kind in Kind},
    JobState: {state.value: state for state in JobState},
}
# A value that is no plain str is first looked up among the adapters, and there slowly unless it is found.
for enum in (Kind, JobState):
    sqlite3.register_adapter(enum, attrgetter("value"))


def columns(entity: type[msgspec.Struct]) -> str:
    """The entity's fields as a column list."""
    return ", ".join(entity.__struct_fields__)


def placeholders(entity: type[msgspec.Struct]) -> str:
    """The entity's fields as named parameters."""
    return ", ".join(f":{name}" for name in entity.__struct_fields__)


def reader(entity: type[E]) -> Callable[[tuple[Any, ...]], E]:
    """A function from a row selected by `columns(entity)` to the entity."""
    convert = [(i, _CONVERT[field.type]) for i, field in enumerate(fields(entity)) if field.type in _CONVERT]

    def read(row: tuple[Any, ...]) -> E:
        values = list(row)
        for i, made in convert:
            values[i] = made[values[i]]
        return entity(*values)

    return read


def values(entity: msgspec.Struct) -> dict[str, Any]:
    """The entity as statement parameters."""
    return asdict(entity)
