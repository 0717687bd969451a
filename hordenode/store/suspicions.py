"""Rows about suspicions."""

from __future__ import annotations

from hordenode.store.tx import Tx, statement

ADD = statement(
    "suspicions.add",
    "INSERT INTO suspicions (user_id, worker_id, reason, at_ms) VALUES (:user_id, :worker_id, :reason, :at_ms)",
)
KNOWN = statement(
    "suspicions.known",
    "SELECT 1 FROM suspicions WHERE user_id = :user_id AND worker_id IS :worker_id AND reason = :reason LIMIT 1",
)
OF_USER = statement("suspicions.of_user", "SELECT count(*) FROM suspicions WHERE user_id = :user_id")
OF_WORKER = statement("suspicions.of_worker", "SELECT count(*) FROM suspicions WHERE worker_id = :worker_id")
RESET = statement("suspicions.reset", "DELETE FROM suspicions WHERE user_id = :user_id")


def add(tx: Tx, user_id: int, worker_id: str | None, reason: str, now_ms: int, *, again: bool = False) -> None:
    """Record a reason; one that is known counts once unless `again`."""
    if again or tx.one(KNOWN, user_id=user_id, worker_id=worker_id, reason=reason) is None:
        tx.run(ADD, user_id=user_id, worker_id=worker_id, reason=reason, at_ms=now_ms)


def of_user(tx: Tx, user_id: int) -> int:
    """How many there are against the user and its workers."""
    return int(tx.value(OF_USER, user_id=user_id))


def of_worker(tx: Tx, worker_id: str) -> int:
    return int(tx.value(OF_WORKER, worker_id=worker_id))


def reset(tx: Tx, user_id: int) -> None:
    """Forget those against the user and its workers."""
    tx.run(RESET, user_id=user_id)
