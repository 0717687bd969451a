"""What all wire types share: bounded numbers, the two base classes, the rules that msgspec's constraints cannot say.

Requests tell absent from null: an optional field is `T | UnsetType = UNSET` where absence means something, else it has
the contract's effective default (behaviour.md 3.2); null is refused either way. Arrays are tuples, structs are frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MOST_KUDOS = 10**12  # of one change or movement: far below what 64 bits hold in thousandths
MAX_DEPTH = 32  # of a free-form object: far below the recursion limit of whatever stores or encodes it again

Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
KudosChange = Annotated[float, Meta(ge=-MOST_KUDOS, le=MOST_KUDOS)]
Count = Annotated[int, Meta(ge=1, le=20)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
Strength = Annotated[float, Meta(ge=-5.0, le=5.0)]
Name255 = Annotated[str, Meta(min_length=1, max_length=255)]


def unique(value: Any) -> None:
    """Rule of an array whose entries may not repeat."""
    if len(set(value)) != len(value):
        raise ValueError("has an entry more than once")


def whole_number(value: Any) -> None:
    """Rule of a number that is parsed, not schema-checked (behaviour.md 8.1): 5, "5", -1 and 5.7 will do."""
    to_int64(value)


def to_int64(value: float | str) -> int:
    """value as an integer, fractions cut. Raises ValueError with a public text."""
    try:
        number = int(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r:.60} is not a whole number") from error
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError("does not fit into 64 bits")
    return number


def storable(value: Any) -> None:
    """Rule of a free-form object: integers of 64 bits and bounded depth, or it could not be stored and sent again."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int) and not INT64_MIN <= item <= INT64_MAX:
                raise ValueError("contains an integer that does not fit into 64 bits")
        if not below:
            return
        level = below
    raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def rule(check: Callable[[Any], None]) -> Meta:
    """Marks a field for the error collector; the struct's __post_init__ applies the same check on the fast path."""
    return Meta(extra={"rule": check}, extra_json_schema={"uniqueItems": True} if check is unique else None)


FreeObject = Annotated[dict[str, Any], rule(storable)]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what clients and workers send."""

    # Fields whose NUL characters become U+FFFD instead of refusing the request (behaviour.md 8.1).
    nul_replaced: ClassVar[tuple[str, ...]] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a horde sends: integers are cut, floats keep a decimal part (behaviour.md 1, answer encoding)."""

    def __post_init__(self) -> None:
        for name, kind in _numbers(type(self)):
            value = getattr(self, name)
            if type(value) is not kind and value is not UNSET and value is not None:
                msgspec.structs.force_setattr(self, name, kind(value))


@cache
def _numbers(struct: type[Answer]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for name, annotation in get_type_hints(struct).items():
        members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
        kinds = {annotation, *members} - {type(None), UnsetType}
        if float in kinds or int in kinds:
            found.append((name, float if float in kinds else int))
    return tuple(found)


def rfc822(ms: int) -> str:
    """A time in UTC milliseconds as the API writes dates: `Mon, 24 Nov 2025 01:02:03 -0000`."""
    return formatdate(ms // 1000)
