"""Rows about users."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import astuple

from hordenode.domain.entities import Kind, User, UserPrivate
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_user = reader(User)
_private = reader(UserPrivate)

PAGE = 25

FIND = statement("users.find", f"SELECT {columns(User)} FROM users WHERE id = :id")
BY_KEY = statement(
    "users.by_key",
    f"SELECT {columns(User)} FROM users WHERE id = (SELECT user_id FROM api_keys WHERE digest = :digest)",
)
BY_NAME = statement("users.by_name", f"SELECT {columns(User)} FROM users WHERE name = :name ORDER BY id")
INSERT = statement("users.insert", f"INSERT INTO users ({columns(User)}) VALUES ({placeholders(User)})")
NEXT_ID = statement("users.next_id", "SELECT max(id) + 1 FROM accounts")
SAVE = statement(
    "users.save",
    f"UPDATE users SET {', '.join(f'{n} = :{n}' for n in columns(User).split(', ') if n != 'id')} WHERE id = :id",
)
ACTIVE = statement("users.active", "UPDATE users SET active_ms = max(active_ms, :active_ms) WHERE id = :id")
DELETE = statement("users.delete", "DELETE FROM users WHERE id = :id")
BY_KUDOS = statement(
    "users.by_kudos",
    f"SELECT {', '.join('u.' + name for name in columns(User).split(', '))} FROM users u JOIN accounts a ON a.id = u.id"
    " ORDER BY a.balance DESC, u.id LIMIT :limit OFFSET :offset",
)
BY_AGE = statement(
    "users.by_age", f"SELECT {columns(User)} FROM users ORDER BY created_ms, id LIMIT :limit OFFSET :offset"
)
WITH_MONTHLY = statement(
    "users.with_monthly",
    f"SELECT {', '.join('u.' + name for name in columns(User).split(', '))} FROM users u"
    " LEFT JOIN user_private p ON p.user_id = u.id WHERE u.deleted = 0 AND (u.moderator = 1 OR p.monthly_kudos > 0)",
)
PROVEN = statement(
    "users.proven",
    f"SELECT {', '.join('u.' + name for name in columns(User).split(', '))} FROM users u"
    " JOIN user_kudos k ON k.user_id = u.id WHERE u.trusted = 0 AND u.flagged = 0 AND u.deleted = 0 AND u.id > 0"
    " AND u.created_ms <= :created_before_ms AND k.evaluating > :held",
)
PRIVATE = statement("users.private", f"SELECT {columns(UserPrivate)} FROM user_private WHERE user_id = :user_id")
SAVE_PRIVATE = statement(
    "users.save_private",
    f"INSERT OR REPLACE INTO user_private ({columns(UserPrivate)}) VALUES ({placeholders(UserPrivate)})",
)
BY_PASSKEY = statement(
    "users.by_passkey",
    f"SELECT {columns(User)} FROM users WHERE service = 1"
    " AND id = (SELECT user_id FROM user_private WHERE proxy_passkey = :passkey)",
)
OPEN_ACCOUNT = statement("users.open_account", "INSERT INTO accounts (id, balance) VALUES (:id, 0)")
RECORD = statement(
    "users.record",
    "INSERT INTO user_records (user_id, kind, requested, used, fulfilled, contributed)"
    " VALUES (:user_id, :kind, :requested, :used, :fulfilled, :contributed)"
    " ON CONFLICT (user_id, kind) DO UPDATE SET requested = requested + excluded.requested, used = used + excluded.used,"
    " fulfilled = fulfilled + excluded.fulfilled, contributed = contributed + excluded.contributed",
)
RECORD_STYLED = statement(
    "users.record_styled",
    "INSERT INTO user_records (user_id, kind, styled) VALUES (:user_id, :kind, :jobs)"
    " ON CONFLICT (user_id, kind) DO UPDATE SET styled = styled + excluded.styled",
)
RECORDS = statement(
    "users.records",
    "SELECT kind, requested, used, fulfilled, contributed, styled FROM user_records WHERE user_id = :user_id",
)


def find(tx: Tx, user_id: int) -> User | None:
    def read() -> User | None:
        row = tx.one(FIND, id=user_id)
        return None if row is None else _user(row)

    return tx.remembered(("user", user_id), read)


def by_key(tx: Tx, digest: bytes) -> User | None:
    """The user whose API key has this keyed digest."""

    def read() -> User | None:
        row = tx.one(BY_KEY, digest=digest)
        return None if row is None else _user(row)

    return tx.remembered(("key", digest), read)


def by_name(tx: Tx, name: str) -> list[User]:
    """All users of this name, oldest first. Looks through all users: only the command line and joining ask."""
    return [_user(row) for row in tx.all(BY_NAME, name=name)]


def by_passkey(tx: Tx, passkey: str) -> User | None:
    """The service user with this proxy passkey."""
    row = tx.one(BY_PASSKEY, passkey=passkey)
    return None if row is None else _user(row)


def page(tx: Tx, number: int, *, by_age: bool) -> list[User]:
    """Page `number` (from 1): the richest first, or the oldest."""
    rows = tx.all(BY_AGE if by_age else BY_KUDOS, limit=PAGE, offset=(number - 1) * PAGE)
    return [_user(row) for row in rows]


def next_id(tx: Tx) -> int:
    """An id that no user ever had: accounts outlive their users."""
    return int(tx.value(NEXT_ID))


def insert(tx: Tx, user: User) -> None:
    """A new user with an empty account."""
    tx.run(INSERT, **values(user))
    tx.run(OPEN_ACCOUNT, id=user.id)


def save(tx: Tx, user: User) -> None:
    tx.run(SAVE, **values(user))


def save_active(tx: Tx, seen: Mapping[int, int]) -> None:
    """When each of these users was last seen."""
    tx.many(ACTIVE, [{"id": user_id, "active_ms": at} for user_id, at in seen.items()])


def delete(tx: Tx, user_id: int) -> None:
    """The user with keys, shared keys, teams, records and what else only belongs to it. Not its account."""
    tx.run(DELETE, id=user_id)


def with_monthly(tx: Tx) -> list[User]:
    """Who gets kudos each month."""
    return [_user(row) for row in tx.all(WITH_MONTHLY)]


def proven(tx: Tx, held: int, *, created_before_ms: int) -> list[User]:
    """Untrusted users with more held-back kudos (thousandths), whose accounts are old enough."""
    return [_user(row) for row in tx.all(PROVEN, held=held, created_before_ms=created_before_ms)]


def private(tx: Tx, user_id: int) -> UserPrivate:
    """What is rarely read of a user."""
    row = tx.one(PRIVATE, user_id=user_id)
    return UserPrivate(user_id) if row is None else _private(row)


def save_private(tx: Tx, private: UserPrivate) -> None:
    tx.run(SAVE_PRIVATE, **values(private))


class Record(msgspec.Struct, frozen=True):
    """What to add to a user's records: jobs asked and made, things used and contributed (contract 10.5)."""

    user_id: int
    kind: Kind
    requested: int = 0
    used: int = 0
    fulfilled: int = 0
    contributed: int = 0


def record(tx: Tx, *records: Record) -> None:
    """Add to users' records."""
    tx.insert(RECORD, [astuple(it) for it in records])


def record_styled(tx: Tx, user_id: int, kind: Kind, jobs: int) -> None:
    """Jobs that others asked for with a style of this user."""
    tx.run(RECORD_STYLED, user_id=user_id, kind=kind, jobs=jobs)


def records(tx: Tx, user_id: int) -> dict[str, tuple[int, int, int, int, int]]:
    """Kind to (requested, used, fulfilled, contributed, styled)."""
    return {row[0]: row[1:] for row in tx.all(RECORDS, user_id=user_id)}
