"""Rows about what users sent each other."""

from __future__ import annotations

from hordenode.store.tx import Tx, statement

ADD = statement(
    "transfers.add",
    "INSERT INTO transfers (source, target, name, amount, at_ms, idempotency_key)"
    " VALUES (:source, :target, :name, :amount, :at_ms, :idempotency_key)",
)
BY_KEY = statement(
    "transfers.by_key", "SELECT name, amount FROM transfers WHERE source = :source AND idempotency_key = :key"
)
SINCE = statement(
    "transfers.since",
    "SELECT 1 FROM transfers WHERE source = :source AND target = :target AND at_ms > :since_ms LIMIT 1",
)


def add(tx: Tx, source: int, target: int, asked: tuple[str, int], now_ms: int, key: str | None) -> None:
    """A transfer that was made; `asked` is the name and the amount (in thousandths) that the caller gave."""
    name, amount = asked
    tx.run(ADD, source=source, target=target, name=name, amount=amount, at_ms=now_ms, idempotency_key=key)


def by_key(tx: Tx, source: int, key: str) -> tuple[str, int] | None:
    """What the user asked for with this idempotency key: name and amount."""
    row = tx.one(BY_KEY, source=source, key=key)
    return None if row is None else (row[0], row[1])


def sent_since(tx: Tx, source: int, target: int, since_ms: int) -> bool:
    """Whether `source` sent something to `target` after that time."""
    return tx.one(SINCE, source=source, target=target, since_ms=since_ms) is not None
