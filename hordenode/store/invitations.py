"""Rows about invitations: keyed digests of their codes, never the codes."""

from __future__ import annotations

from hordenode.domain.entities import Invitation
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_invitation = reader(Invitation)

INSERT = statement(
    "invitations.insert", f"INSERT INTO invitations ({columns(Invitation)}) VALUES ({placeholders(Invitation)})"
)
FIND = statement("invitations.find", f"SELECT {columns(Invitation)} FROM invitations WHERE digest = :digest")
ALL = statement("invitations.all", f"SELECT {columns(Invitation)} FROM invitations ORDER BY created_ms, digest")
USE = statement(
    "invitations.use", "UPDATE invitations SET uses_left = uses_left - 1 WHERE digest = :digest AND uses_left > 0"
)
JOINED = statement(
    "invitations.joined",
    "UPDATE invitations SET uses_left = 0, joined_id = :user_id, joined_ms = :now_ms WHERE digest = :digest",
)
DELETE = statement("invitations.delete", "DELETE FROM invitations WHERE digest = :digest")


def insert(tx: Tx, invitation: Invitation) -> None:
    tx.run(INSERT, **values(invitation))


def find(tx: Tx, digest: bytes) -> Invitation | None:
    row = tx.one(FIND, digest=digest)
    return None if row is None else _invitation(row)


def everyone(tx: Tx) -> list[Invitation]:
    """The oldest first."""
    return [_invitation(row) for row in tx.all(ALL)]


def use(tx: Tx, digest: bytes) -> None:
    """Somebody registered with it."""
    tx.run(USE, digest=digest)


def joined(tx: Tx, digest: bytes, user_id: int, now_ms: int) -> None:
    """A worker joined with it: it is used up."""
    tx.run(JOINED, digest=digest, user_id=user_id, now_ms=now_ms)


def delete(tx: Tx, digest: bytes) -> None:
    tx.run(DELETE, digest=digest)
