"""Names of users as people write them (contract 2.1)."""

from __future__ import annotations

MAX_USER_ID = 2**31 - 1


def user_id_of(alias: str) -> int | None:
    """The id in `name#5`, or in `5`: only what stands after the last # counts. None when that is no id."""
    digits = alias.rpartition("#")[2].strip()
    if not digits.isdecimal() or not digits.isascii() or len(digits) > len(str(MAX_USER_ID)):
        return None
    return int(digits) if int(digits) <= MAX_USER_ID else None
