"""What is deleted because nobody needs it any more: idle lanes, unused signatures, old lines of the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hordenode.domain.entities import Kind
from hordenode.store.tx import Tx, statement

IDLE_LANES = statement(
    "retention.idle_lanes",
    "SELECT l.id, l.kind FROM lanes l WHERE l.id > :after AND l.waiting = 0 AND l.turn < :turn AND NOT EXISTS"
    " (SELECT 1 FROM waiting_prompts w WHERE w.user_id = l.user_id AND w.lane_id = l.id) ORDER BY l.id LIMIT :limit",
)
DELETE_LANE = statement("retention.delete_lane", "DELETE FROM lanes WHERE id = :id AND waiting = 0")
UNUSED_SIGNATURES = statement(
    "retention.unused_signatures",
    "SELECT s.id FROM signatures s WHERE s.id > :after AND s.requests = 0 AND NOT EXISTS"
    " (SELECT 1 FROM waiting_prompts w WHERE w.signature_id = s.id) ORDER BY s.id LIMIT :limit",
)
DELETE_SIGNATURE = statement(
    "retention.delete_signature",
    "DELETE FROM signatures WHERE id = :id AND requests = 0 AND NOT EXISTS"
    " (SELECT 1 FROM waiting_prompts w WHERE w.signature_id = signatures.id)",
)
LINES = statement(
    "retention.lines",
    "SELECT id, at_ms, source, target, amount, user_id FROM ledger WHERE id > :after ORDER BY id LIMIT :limit",
)
CARRY = statement(
    "retention.carry",
    "UPDATE ledger SET at_ms = :at_ms, amount = :amount, reason = :reason, note = :note, request_id = NULL, job_id = NULL"
    " WHERE id = :id",
)
DELETE_LINE = statement("retention.delete_line", "DELETE FROM ledger WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger, as far as it is carried on."""

    id: int
    at_ms: int
    source: int
    target: int
    amount: int
    user_id: int | None


def idle_lanes(tx: Tx, after: int, turn: int, limit: int) -> list[tuple[int, Kind]]:
    """(id, kind) of lanes with no request at all whose last turn was before this one."""
    return [(row[0], Kind(row[1])) for row in tx.all(IDLE_LANES, after=after, turn=turn, limit=limit)]


def delete_lane(tx: Tx, lane_id: int) -> bool:
    return tx.run(DELETE_LANE, id=lane_id) == 1


def unused_signatures(tx: Tx, after: int, limit: int) -> list[int]:
    """Ids of needs that no request has."""
    return [row[0] for row in tx.all(UNUSED_SIGNATURES, after=after, limit=limit)]


def delete_signature(tx: Tx, signature: int) -> bool:
    return tx.run(DELETE_SIGNATURE, id=signature) == 1


def lines(tx: Tx, after: int, limit: int) -> list[Line]:
    return [Line(*row) for row in tx.all(LINES, after=after, limit=limit)]


def carry(tx: Tx, kept: Line, others: Iterable[Line], *, amount: int, at_ms: int, reason: str, note: str) -> None:
    """One line in the place of several; balances stay what they are."""
    tx.run(CARRY, id=kept.id, at_ms=at_ms, amount=amount, reason=reason, note=note)
    for line in others:
        tx.run(DELETE_LINE, id=line.id)


def checkpoint(path: Path) -> None:
    """Write the journal back as far as nobody is in the way. On a connection of its own: call it in a thread."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA optimize")
