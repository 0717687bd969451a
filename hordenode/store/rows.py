"""Rows to entities: SQLite has no booleans and no enums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from hordenode.domain.entities import JobState, Kind

T = TypeVar("T")
# Looked up by the stored value, which is quicker than calling the type.
_CONVERT: dict[str, dict[Any, Any]] = {
    "bool": {0: False, 1: True},
    "Kind": {kind.value: kind for kind in Kind},
    "JobState": {state.value: state for state in JobState},
}


def columns(entity: type) -> str:
    """The entity's fields as a column list."""
    return ", ".join(field.name for field in fields(entity))


def placeholders(entity: type) -> str:
    """The entity's fields as named parameters."""
    return ", ".join(f":{field.name}" for field in fields(entity))


def reader(entity: type[T]) -> Callable[[tuple[Any, ...]], T]:
    """A function from a row selected by `columns(entity)` to the entity."""
    convert = [(i, _CONVERT[str(field.type)]) for i, field in enumerate(fields(entity)) if str(field.type) in _CONVERT]  # type: ignore[arg-type]

    def read(row: tuple[Any, ...]) -> T:
        values = list(row)
        for i, made in convert:
            values[i] = made[values[i]]
        return entity(*values)

    return read


def values(entity: Any) -> dict[str, Any]:
    """The entity as statement parameters."""
    return {field.name: getattr(entity, field.name) for field in fields(entity)}
