"""Names of users as people write them (contract 2.1), and of the workers of one machine."""

from __future__ import annotations

from hordenode.domain.entities import Kind

MAX_USER_ID = 2**31 - 1
SPECIAL_MODEL = "horde_special"  # in the names of models that belong to one user, `horde_special::name#5`


def user_id_of(alias: str) -> int | None:
    """The id in `name#5`, or in `5`: only what stands after the last # counts. None when that is no id."""
    digits = alias.rpartition("#")[2].strip()
    if not digits.isdecimal() or not digits.isascii() or len(digits) > len(str(MAX_USER_ID)):
        return None
    return int(digits) if int(digits) <= MAX_USER_ID else None


def worker_names(machine: str) -> dict[Kind, str]:
    """Of the workers of a machine: one process that serves several kinds needs a name for each (worker_protocol.md 1)."""
    return {Kind.IMAGE: f"{machine} images", Kind.TEXT: f"{machine} texts", Kind.ALCHEMY: f"{machine} alchemy"}
