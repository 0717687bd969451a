"""Values of options, from files, variables and flags."""

from __future__ import annotations

from typing import Any


def parse(value: object, kind: Any) -> Any:
    """A value as an option of this type; ValueError says what it should be. Text is parsed."""
    if kind is bool:
        return _parse_bool(value)
    if kind is str and isinstance(value, str):
        return value
    if kind is int and (isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))):
        return int(value)
    if kind is float and isinstance(value, str | int | float) and not isinstance(value, bool):
        return float(value)
    if kind == tuple[str, ...]:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
            return tuple(value)
    wanted = {int: "a whole number", float: "a number", str: "a text"}.get(kind, "a list of texts")
    raise ValueError(f"{value!r} is not {wanted}")


def _parse_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(f"{value!r} is not true or false")
