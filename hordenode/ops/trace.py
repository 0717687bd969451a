"""Which HTTP request a log line belongs to."""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar

REQUEST: ContextVar[str] = ContextVar("request", default="")

_USABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX = secrets.token_hex(4)  # two nodes, or two lives of one, do not share ids
_numbers = itertools.count(1)


def begin(given: bytes | None) -> str:
    """Name the request that this task serves: as its caller named it where that can go into a log, else anew."""
    usable = given is not None and _USABLE.fullmatch(given)
    name = given.decode() if given is not None and usable else f"{_PREFIX}-{next(_numbers):x}"
    REQUEST.set(name)
    return name
