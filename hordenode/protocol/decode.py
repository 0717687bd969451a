"""From bytes to request types: one fast pass, and on failure a second one that says everything that is wrong.

The fast pass is msgspec's. It stops at the first violation, while the contract reports all of them (behaviour.md 1), so
a failed body is decoded again without a type and walked field by field (`violations.py`).
"""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import force_setattr

from hordenode.protocol.errors import HordeError, PlainError, ValidationFailed
from hordenode.protocol.violations import violations
from hordenode.protocol.wire import Request

T = TypeVar("T")
R = TypeVar("R", bound=Request)

MAX_QUERY_FIELDS = 100

_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_without_arguments: dict[type[Request], Request] = {}

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # an escaped NUL, not an escaped backslash before "u0000"
_AT = re.compile(r"(?P<text>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)


def decode(kind: type[T], raw: bytes) -> T:
    """The JSON text raw as a value of kind.

    Raises ValidationFailed with all violations, PlainError 400 for what is not JSON, HordeError NulByteInPayload.
    """
    try:
        decoder = _decoders.get(kind) or _decoders.setdefault(kind, msgspec.json.Decoder(kind))
        value: T = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _explain(kind, raw, error) from error
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error
    if b"\\" in raw and b"\\u0000" in raw:  # a picture in base64 has no backslash, which is found out in no time
        _refuse_nul(value)
    return value


def decode_query(kind: type[R], query: bytes) -> R:
    """The query string as a value of kind; only the first violation is reported (behaviour.md 1)."""
    if not query and kind in _without_arguments:
        return _without_arguments[kind]  # type: ignore[return-value]
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise PlainError(400, f"The query has more than {MAX_QUERY_FIELDS} arguments.") from error
    arguments = dict(pairs)
    if any("\0" in value for value in arguments.values()):
        raise HordeError("NulByteInPayload")
    try:
        value = msgspec.convert(arguments, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationFailed(_first(error)) from error
    if not query:
        _without_arguments[kind] = value
    return value


def _explain(kind: type[Any], raw: bytes, error: msgspec.ValidationError) -> HordeError:
    try:
        found = violations(kind, msgspec.json.decode(raw))
    except msgspec.ValidationError:  # a number that no type of Python holds
        found = {}
    except (ValueError, RecursionError) as broken:
        return _not_json(broken)
    return ValidationFailed(found or _first(error))


def _first(error: msgspec.ValidationError) -> dict[str, str]:
    match = _AT.fullmatch(str(error))
    text, path = (match["text"], match["path"]) if match else (str(error), None)
    dotted = re.sub(r"\[(\d+)\]", r".\1", (path or "").replace("[...]", ""))
    return {dotted.strip(".") or "body": text}


def _not_json(error: Exception) -> PlainError:
    detail = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return PlainError(400, f"The body is not valid JSON: {detail}")


def _refuse_nul(value: object) -> None:
    if isinstance(value, Request):
        for name in value.nul_replaced:
            force_setattr(value, name, getattr(value, name).replace("\0", "\ufffd"))
    # Encoding again leaves out what the type does not know: a NUL there is stored nowhere.
    if _NUL.search(msgspec.json.encode(value)):
        raise HordeError("NulByteInPayload")
