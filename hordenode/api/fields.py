"""The `X-Fields` header: the caller names the fields of the answer that it wants (contract api.json `common`).

mask  := '{' names '}' | names          names := name (',' name)*          name := text | text '{' names '}' | '*'
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from hordenode.protocol.errors import PlainError

Mask = dict[str, "Mask | None"]  # name -> mask of its members, None for all of it

MAX_LENGTH = 4000
MAX_DEPTH = 16
_TOKEN = re.compile(r"\s*([{},]|[^\s{},]+)")


@lru_cache(maxsize=256)
def parse_mask(text: str) -> Mask:
    """The mask that text describes. Raises PlainError 400 when it is malformed."""
    if len(text) > MAX_LENGTH:
        raise _bad("it is too long")
    text = text.strip()
    tokens = _TOKEN.findall(text)
    if sum(map(len, tokens)) != len(re.sub(r"\s", "", text)):
        raise _bad("it has a character that is not understood")
    if tokens[:1] == ["{"] and tokens[-1:] == ["}"]:
        tokens = tokens[1:-1]
    mask, rest = _names(tokens, 0)
    if rest:
        raise _bad(f"'{rest[0]}' is out of place")
    return mask


def _names(tokens: list[str], depth: int) -> tuple[Mask, list[str]]:
    """The mask at the head of tokens, and the tokens after it."""
    if depth > MAX_DEPTH:
        raise _bad("it is nested too deeply")
    mask: Mask = {}
    while True:
        if not tokens or tokens[0] in "{},":
            raise _bad("a name is missing")
        name, tokens = tokens[0], tokens[1:]
        mask[name] = None
        if tokens[:1] == ["{"]:
            mask[name], tokens = _names(tokens[1:], depth + 1)
            if tokens[:1] != ["}"]:
                raise _bad("a } is missing")
            tokens = tokens[1:]
        if tokens[:1] != [","]:
            return mask, tokens
        tokens = tokens[1:]


def apply_mask(mask: Mask, value: Any) -> Any:
    """The part of value (dicts, lists, scalars) that mask names; unknown names are dropped.

    Raises PlainError 400 when mask names members of a scalar.
    """
    if isinstance(value, list):
        return [apply_mask(mask, item) for item in value]
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _bad("it names members of a field that has none")
    kept: dict[str, Any] = {}
    for name, member in value.items():
        if name in mask:
            inner = mask[name]
            kept[name] = member if inner is None else apply_mask(inner, member)
        elif "*" in mask:
            kept[name] = member
    return kept


def _bad(reason: str) -> PlainError:
    return PlainError(400, f"The X-Fields header is malformed: {reason}.")
