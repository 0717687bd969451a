"""Everything that is wrong with a decoded JSON value, measured against the same type that msgspec checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from msgspec import inspect

MAX_REPORTED = 100  # a body of millions of bad entries must not make an answer of that size
SHOWN = 40  # characters of an offending value

_descriptions: dict[type[Any], inspect.Type] = {}


def violations(kind: type[Any], value: object) -> dict[str, str]:
    """Dotted path -> what is wrong there, for each violation of kind in value (at most MAX_REPORTED); empty if none.

    value: what msgspec.json.decode makes of a body. The path of the value itself is `body`.
    """
    found: dict[str, str] = {}
    if kind not in _descriptions:
        _descriptions[kind] = inspect.type_info(kind)
    _walk(_descriptions[kind], value, "", found)
    return {path or "body": text for path, text in found.items()}


def _walk(kind: inspect.Type, value: Any, path: str, found: dict[str, str]) -> None:
    if isinstance(kind, inspect.UnionType):
        kind = _alternative(kind, value)
    if isinstance(kind, inspect.Metadata):
        _walk_rule(kind, value, path, found)
    elif isinstance(kind, inspect.UnionType):
        found[path] = f"{_show(value)} is not {_name(kind)}"
    elif isinstance(kind, inspect.LiteralType):
        if not isinstance(value, str) or value not in kind.values:
            found[path] = f"{_show(value)} is not one of {', '.join(map(str, kind.values))}"
    elif not _has_kind(kind, value):
        found[path] = f"{_show(value)} is not {_name(kind)}"
    elif isinstance(kind, inspect.StructType):
        _walk_struct(kind, value, path, found)
    elif isinstance(kind, (inspect.VarTupleType, inspect.ListType)):
        for index, item in enumerate(value):
            if len(found) >= MAX_REPORTED:
                return
            _walk(kind.item_type, item, _join(path, str(index)), found)
    elif problem := _bound(kind, value):
        found[path] = problem


def _walk_struct(kind: inspect.StructType, value: dict[str, Any], path: str, found: dict[str, str]) -> None:
    for field in kind.fields:
        where = _join(path, field.encode_name)
        if field.encode_name in value:
            _walk(field.type, value[field.encode_name], where, found)
        elif field.required:
            found[where] = "is required"


def _walk_rule(kind: inspect.Metadata, value: Any, path: str, found: dict[str, str]) -> None:
    before = len(found)
    _walk(kind.type, value, path, found)
    rule: Callable[[Any], None] | None = (kind.extra or {}).get("rule")
    if rule is None or len(found) > before:
        return
    try:
        rule(value)
    except ValueError as error:
        found[path] = str(error)


def _alternative(kind: inspect.UnionType, value: Any) -> inspect.Type:
    """The member of a union that value is judged by; the union itself when none fits."""
    return next((member for member in kind.types if _has_kind(member, value)), kind)


def _has_kind(kind: inspect.Type, value: object) -> bool:
    match kind:
        case inspect.Metadata():
            return _has_kind(kind.type, value)
        case inspect.UnionType():
            return any(_has_kind(member, value) for member in kind.types)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case inspect.StrType() | inspect.LiteralType():
            return isinstance(value, str)
        case inspect.NoneType():
            return value is None
        case inspect.VarTupleType() | inspect.ListType():
            return isinstance(value, list)
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.AnyType():
            return True
    raise TypeError(f"a request has a field of the kind {kind!r}, for which no rule is written here")


def _bound(kind: inspect.Type, value: Any) -> str | None:
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        if kind.ge is not None and value < kind.ge:
            return f"{_show(value)} is below the minimum of {kind.ge}"
        if kind.le is not None and value > kind.le:
            return f"{_show(value)} is above the maximum of {kind.le}"
        if kind.multiple_of is not None and value % kind.multiple_of:
            return f"{_show(value)} is not a multiple of {kind.multiple_of}"
    elif isinstance(kind, inspect.StrType):
        if kind.min_length is not None and len(value) < kind.min_length:
            return f"{_show(value)} is shorter than {kind.min_length} character{'s' * (kind.min_length > 1)}"
        if kind.max_length is not None and len(value) > kind.max_length:
            return f"{_show(value)} is longer than {kind.max_length} characters"
    return None


def _name(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            return _name(kind.type)
        case inspect.UnionType():
            return " or ".join(dict.fromkeys(map(_name, kind.types)))
        case inspect.BoolType():
            return "a boolean"
        case inspect.IntType():
            return "an integer"
        case inspect.FloatType():
            return "a number"
        case inspect.NoneType():
            return "null"
        case inspect.VarTupleType() | inspect.ListType():
            return "an array"
        case inspect.StructType() | inspect.DictType():
            return "an object"
    return "a string"


def _show(value: object) -> str:
    if isinstance(value, (list, dict)):
        return "an array" if isinstance(value, list) else "an object"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= SHOWN else value[:SHOWN] + "…", ensure_ascii=False)
    if isinstance(value, int) and value.bit_length() > 64:  # printing millions of digits takes minutes
        return "an integer beyond 64 bits"
    return json.dumps(value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
