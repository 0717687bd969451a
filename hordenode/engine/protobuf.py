"""Protobuf messages as bytes: enough of the encoding (protobuf encoding guide) to look into an ONNX graph and change it.

What is not asked for is neither parsed nor copied, whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LENGTH = 2  # wire type of what says how long it is: texts, messages, bytes


@dataclass(frozen=True, slots=True)
class Field:
    """A field inside its message: from `start` to `end`; `body` of one that has a length, `value` of a whole number."""

    number: int
    start: int
    end: int
    body: memoryview
    value: int = 0


def fields(message: bytes | memoryview) -> Iterator[Field]:
    """All fields of a message. Raises IndexError and ValueError for what is none."""
    view, at = memoryview(message), 0
    while at < len(view):
        start, (key, at) = at, _read_varint(view, at)
        kind, size, value = key & 7, 0, 0
        if kind == 0:
            value, at = _read_varint(view, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == LENGTH:
            size, at = _read_varint(view, at)
            if at + size > len(view):
                raise ValueError("a field reaches beyond its message")
            at += size
        else:
            raise ValueError(f"wire type {kind}")
        yield Field(key >> 3, start, at, view[at - size : at], value)


def bodies(message: bytes | memoryview, number: int) -> Iterator[memoryview]:
    """The bodies of all fields of this number."""
    return (field.body for field in fields(message) if field.number == number)


def values(message: bytes | memoryview, number: int) -> Iterator[int]:
    """The values of all fields of this number."""
    return (field.value for field in fields(message) if field.number == number)


def varint(value: int) -> bytes:
    """A number from 0 on."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(field: int, body: bytes) -> bytes:
    """A field that has a length."""
    return varint(field << 3 | LENGTH) + varint(len(body)) + body


def number(field: int, value: int) -> bytes:
    """A field that is a number from 0 on."""
    return varint(field << 3) + varint(value)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")
