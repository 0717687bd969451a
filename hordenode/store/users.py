"""Rows about users and their API keys."""

from __future__ import annotations

from hordenode.domain.entities import Kind, User
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_user = reader(User)

FIND = statement("users.find", f"SELECT {columns(User)} FROM users WHERE id = :id")
BY_KEY = statement(
    "users.by_key",
    f"SELECT {columns(User)} FROM users WHERE id = (SELECT user_id FROM api_keys WHERE digest = :digest)",
)
INSERT = statement("users.insert", f"INSERT INTO users ({columns(User)}) VALUES ({placeholders(User)})")
NEXT_ID = statement("users.next_id", "SELECT max(id) + 1 FROM users")
ADD_KEY = statement(
    "users.add_key", "INSERT INTO api_keys (digest, user_id, created_ms) VALUES (:digest, :user_id, :created_ms)"
)
OPEN_ACCOUNT = statement("users.open_account", "INSERT INTO accounts (id, balance) VALUES (:id, 0)")
RECORD = statement(
    "users.record",
    "INSERT INTO user_records (user_id, kind, requested, used, fulfilled, contributed)"
    " VALUES (:user_id, :kind, :requested, :used, :fulfilled, :contributed)"
    " ON CONFLICT (user_id, kind) DO UPDATE SET requested = requested + excluded.requested, used = used + excluded.used,"
    " fulfilled = fulfilled + excluded.fulfilled, contributed = contributed + excluded.contributed",
)
RECORDS = statement(
    "users.records",
    "SELECT kind, requested, used, fulfilled, contributed, styled FROM user_records WHERE user_id = :user_id",
)


def find(tx: Tx, user_id: int) -> User | None:
    row = tx.one(FIND, id=user_id)
    return None if row is None else _user(row)


def by_key(tx: Tx, digest: bytes) -> User | None:
    """The user whose API key has this keyed digest."""
    row = tx.one(BY_KEY, digest=digest)
    return None if row is None else _user(row)


def next_id(tx: Tx) -> int:
    return int(tx.value(NEXT_ID))


def insert(tx: Tx, user: User) -> None:
    """A new user with an empty account."""
    tx.run(INSERT, **values(user))
    tx.run(OPEN_ACCOUNT, id=user.id)


def add_key(tx: Tx, user_id: int, digest: bytes, now_ms: int) -> None:
    tx.run(ADD_KEY, digest=digest, user_id=user_id, created_ms=now_ms)


def record(
    tx: Tx, user_id: int, kind: Kind, *, requested: int = 0, used: int = 0, fulfilled: int = 0, contributed: int = 0
) -> None:
    """Add to a user's records: jobs asked and made, things used and contributed (contract 10.5)."""
    tx.run(
        RECORD,
        user_id=user_id,
        kind=kind,
        requested=requested,
        used=used,
        fulfilled=fulfilled,
        contributed=contributed,
    )


def records(tx: Tx, user_id: int) -> dict[str, tuple[int, int, int, int, int]]:
    """Kind to (requested, used, fulfilled, contributed, styled)."""
    return {row[0]: row[1:] for row in tx.all(RECORDS, user_id=user_id)}
