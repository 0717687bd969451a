"""Rows about API keys: keyed digests, never the keys themselves."""

from __future__ import annotations

from collections.abc import Mapping

from hordenode.domain.entities import ApiKey
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_key = reader(ApiKey)

INSERT = statement("keys.insert", f"INSERT INTO api_keys ({columns(ApiKey)}) VALUES ({placeholders(ApiKey)})")
OF_USER = statement(
    "keys.of_user", f"SELECT {columns(ApiKey)} FROM api_keys WHERE user_id = :user_id ORDER BY created_ms, name"
)
DELETE = statement("keys.delete", "DELETE FROM api_keys WHERE user_id = :user_id AND name = :name")
DELETE_ALL = statement("keys.delete_all", "DELETE FROM api_keys WHERE user_id = :user_id")
USED = statement(
    "keys.used", "UPDATE api_keys SET used_ms = :used_ms WHERE digest = :digest AND coalesce(used_ms, 0) < :used_ms"
)


def insert(tx: Tx, key: ApiKey) -> None:
    tx.run(INSERT, **values(key))


def of_user(tx: Tx, user_id: int) -> list[ApiKey]:
    return [_key(row) for row in tx.all(OF_USER, user_id=user_id)]


def delete(tx: Tx, user_id: int, name: str) -> bool:
    """False when the user has no key of this name."""
    return tx.run(DELETE, user_id=user_id, name=name) == 1


def delete_all(tx: Tx, user_id: int) -> None:
    tx.run(DELETE_ALL, user_id=user_id)


def save_used(tx: Tx, used: Mapping[bytes, int]) -> None:
    """When each of these keys was last used."""
    tx.many(USED, [{"digest": digest, "used_ms": at} for digest, at in used.items()])
