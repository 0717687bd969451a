"""Rows about messages to workers."""

from __future__ import annotations

from hordenode.domain.entities import Message
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_message = reader(Message)

PAGE = 50

FIND = statement("messages.find", f"SELECT {columns(Message)} FROM worker_messages WHERE id = :id")
INSERT = statement(
    "messages.insert", f"INSERT INTO worker_messages ({columns(Message)}) VALUES ({placeholders(Message)})"
)
DELETE = statement("messages.delete", "DELETE FROM worker_messages WHERE id = :id")
ACTIVE = statement(
    "messages.active",
    f"SELECT {columns(Message)} FROM worker_messages WHERE expires_ms > :now_ms ORDER BY created_ms, id",
)
PAGE_OF = statement(
    "messages.page",
    f"SELECT {columns(Message)} FROM worker_messages m"
    " WHERE expires_ms > :after_ms AND expires_ms <= :until_ms"
    " AND (:reader IS NULL OR m.worker_id IS NULL OR m.user_id = :reader"
    "      OR EXISTS (SELECT 1 FROM workers w WHERE w.id = m.worker_id AND w.user_id = :reader))"
    " AND (:user_id IS NULL OR m.user_id = :user_id)"
    " AND (:worker_id IS NULL OR m.worker_id = :worker_id)"
    " ORDER BY created_ms DESC, id LIMIT :limit OFFSET :offset",
)


def find(tx: Tx, message_id: str) -> Message | None:
    row = tx.one(FIND, id=message_id)
    return None if row is None else _message(row)


def insert(tx: Tx, message: Message) -> None:
    tx.run(INSERT, **values(message))


def delete(tx: Tx, message_id: str) -> None:
    tx.run(DELETE, id=message_id)


def active(tx: Tx, now_ms: int) -> list[Message]:
    """Those that have not expired, oldest first."""
    return [_message(row) for row in tx.all(ACTIVE, now_ms=now_ms)]


def page(
    tx: Tx,
    number: int,
    *,
    after_ms: int,
    until_ms: int,
    reader: int | None,
    user_id: int | None,
    worker_id: str | None,
) -> list[Message]:
    """Page `number` (from 1), newest first, of those that expire within (after_ms, until_ms].

    `reader` sees its own, those to its workers and those to all; None sees everything. `user_id` is who wrote it.
    """
    rows = tx.all(
        PAGE_OF,
        after_ms=after_ms,
        until_ms=until_ms,
        reader=reader,
        user_id=user_id,
        worker_id=worker_id,
        limit=PAGE,
        offset=(number - 1) * PAGE,
    )
    return [_message(row) for row in rows]
