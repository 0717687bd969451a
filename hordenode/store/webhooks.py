"""Rows about webhooks that still have to be called: one per delivered job, gone once it was heard or given up."""

from __future__ import annotations

import msgspec

from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement


class Webhook(msgspec.Struct, frozen=True):
    """A call that is owed for a job. `tries` were made; the next one is due at `next_ms`.

    base_url: the address by which the requester reached this horde, for the link to the result.
    """

    job_id: str
    user_id: int
    url: str
    base_url: str
    next_ms: int
    tries: int = 0


_webhook = reader(Webhook)

OWE = statement("webhooks.owe", f"INSERT INTO webhooks ({columns(Webhook)}) VALUES ({placeholders(Webhook)})")
DUE = statement(
    "webhooks.due",
    f"SELECT {columns(Webhook)} FROM webhooks WHERE next_ms <= :now_ms ORDER BY next_ms LIMIT :limit",
)
NEXT = statement("webhooks.next", "SELECT min(next_ms) FROM webhooks WHERE next_ms > :now_ms")
RETRY = statement("webhooks.retry", "UPDATE webhooks SET tries = tries + 1, next_ms = :next_ms WHERE job_id = :job_id")
SETTLE = statement("webhooks.settle", "DELETE FROM webhooks WHERE job_id = :job_id")


def owe(tx: Tx, webhook: Webhook) -> None:
    tx.run(OWE, **values(webhook))


def due(tx: Tx, now_ms: int, limit: int) -> list[Webhook]:
    """Those whose time has come, the longest overdue first."""
    return [_webhook(row) for row in tx.all(DUE, now_ms=now_ms, limit=limit)]


def next_due(tx: Tx, now_ms: int) -> int | None:
    """When the next one is due that is not due yet."""
    found: int | None = tx.value(NEXT, now_ms=now_ms)
    return found


def retry(tx: Tx, job_id: str, next_ms: int) -> None:
    """One more try was made, in vain."""
    tx.run(RETRY, job_id=job_id, next_ms=next_ms)


def settle(tx: Tx, job_id: str) -> None:
    """It was heard, or is given up."""
    tx.run(SETTLE, job_id=job_id)
