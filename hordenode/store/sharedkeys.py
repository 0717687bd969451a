"""Rows about shared keys."""

from __future__ import annotations

from hordenode.domain.entities import SharedKey
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_shared_key = reader(SharedKey)

FIND = statement("sharedkeys.find", f"SELECT {columns(SharedKey)} FROM shared_keys WHERE id = :id")
OF_USER = statement("sharedkeys.of_user", "SELECT id FROM shared_keys WHERE user_id = :user_id ORDER BY created_ms, id")
INSERT = statement(
    "sharedkeys.insert", f"INSERT INTO shared_keys ({columns(SharedKey)}) VALUES ({placeholders(SharedKey)})"
)
UPDATE = statement(
    "sharedkeys.update",
    "UPDATE shared_keys SET name = :name, expires_ms = :expires_ms, budget = :budget, max_image_pixels = :max_image_pixels,"
    " max_image_steps = :max_image_steps, max_text_tokens = :max_text_tokens, models = :models WHERE id = :id",
)
DELETE = statement("sharedkeys.delete", "DELETE FROM shared_keys WHERE id = :id")
SPEND = statement(
    "sharedkeys.spend",
    "UPDATE shared_keys SET utilized = utilized + :amount, budget = max(0, budget - :amount)"
    " WHERE id = :id AND (budget IS NULL OR budget > 0)",
)
ADD_BUDGET = statement(
    "sharedkeys.add_budget", "UPDATE shared_keys SET budget = budget + :amount WHERE id = :id AND budget IS NOT NULL"
)


def find(tx: Tx, key_id: str) -> SharedKey | None:
    row = tx.one(FIND, id=key_id)
    return None if row is None else _shared_key(row)


def ids_of_user(tx: Tx, user_id: int) -> list[str]:
    return [row[0] for row in tx.all(OF_USER, user_id=user_id)]


def insert(tx: Tx, key: SharedKey) -> None:
    tx.run(INSERT, **values(key))


def update(tx: Tx, key: SharedKey) -> None:
    """Store name, expiry, budget and limits."""
    tx.run(
        UPDATE,
        id=key.id,
        name=key.name,
        expires_ms=key.expires_ms,
        budget=key.budget,
        max_image_pixels=key.max_image_pixels,
        max_image_steps=key.max_image_steps,
        max_text_tokens=key.max_text_tokens,
        models=key.models,
    )


def delete(tx: Tx, key_id: str) -> None:
    tx.run(DELETE, id=key_id)


def spend(tx: Tx, key_id: str, amount: int) -> None:
    """A charge to the owner counts against the key; a key whose budget is used up counts no more (contract 14)."""
    tx.run(SPEND, id=key_id, amount=amount)


def add_budget(tx: Tx, key_id: str, amount: int) -> None:
    """Kudos sent to the key (contract 10.8); nothing changes for one without limit."""
    tx.run(ADD_BUDGET, id=key_id, amount=amount)
