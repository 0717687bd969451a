"""Rows about who is next: signatures, lanes, and the candidates of a pop (ARCHITECTURE 3.4).

Nothing here looks at all waiting requests: a pop reads the waiting signatures (distinct needs, tens to hundreds), then
the head of the index of those that the worker can serve.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.lifecycle import QueueShare
from hordenode.store.tx import Tx, statement

SIGNATURE_ID = statement("queue.signature_id", "SELECT id FROM signatures WHERE kind = :kind AND needs = :needs")
ADD_SIGNATURE = statement(
    "queue.add_signature", "INSERT INTO signatures (kind, needs) VALUES (:kind, :needs) RETURNING id"
)
NEEDS = statement("queue.needs", "SELECT needs FROM signatures WHERE id = :id")
WAITING_SIGNATURES = statement(
    "queue.waiting_signatures", "SELECT id, requests FROM signatures WHERE kind = :kind AND requests > 0"
)
TOTALS = statement(
    "queue.totals", "SELECT id, waiting, jobs, things FROM signatures WHERE kind = :kind AND requests > 0"
)
MOVE_SIGNATURE = statement(
    "queue.move_signature",
    "UPDATE signatures SET requests = requests + :requests, waiting = waiting + :waiting, jobs = jobs + :jobs,"
    " things = things + :things WHERE id = :id",
)
LANE_ID = statement(
    "queue.lane_id", "SELECT id FROM lanes WHERE kind = :kind AND user_id = :user_id AND address = :address"
)
LANE = statement("queue.lane", "SELECT id, band, waiting FROM lanes WHERE id = :id")
ADD_LANE = statement(
    "queue.add_lane",
    "INSERT INTO lanes (kind, user_id, address, band, turn) VALUES (:kind, :user_id, :address, :band, 0) RETURNING id",
)
SET_BAND = statement("queue.set_band", "UPDATE lanes SET band = :band WHERE id = :id")
SET_ENTRY_BAND = statement("queue.set_entry_band", "UPDATE lane_signatures SET band = :band WHERE lane_id = :id")
MOVE_LANE = statement("queue.move_lane", "UPDATE lanes SET waiting = waiting + :waiting WHERE id = :id", keeps=True)
USER_WAITING = statement(
    "queue.user_waiting", "SELECT coalesce(sum(waiting), 0) FROM lanes WHERE kind = :kind AND user_id = :user_id"
)
ENTER = statement(
    "queue.enter",
    "INSERT INTO lane_signatures (lane_id, signature_id, requests, band, turn)"
    " SELECT id, :signature_id, 1, band, turn FROM lanes WHERE id = :lane_id"
    " ON CONFLICT (lane_id, signature_id) DO UPDATE SET requests = requests + 1",
    keeps=True,  # it only reads the lane
)
LEAVE_LAST = statement(
    "queue.leave_last",
    "DELETE FROM lane_signatures WHERE lane_id = :lane_id AND signature_id = :signature_id AND requests = 1",
)
LEAVE = statement(
    "queue.leave",
    "UPDATE lane_signatures SET requests = requests - 1 WHERE lane_id = :lane_id AND signature_id = :signature_id",
)
SERVE_LANE = statement(
    "queue.serve_lane", "UPDATE lanes SET turn = :turn, waiting = waiting + :waiting WHERE id = :id", keeps=True
)
SERVE_ENTRIES = statement("queue.serve_entries", "UPDATE lane_signatures SET turn = :turn WHERE lane_id = :id")
FIRST_LANES = statement(
    "queue.first_lanes",
    "SELECT id FROM lanes WHERE kind = :kind AND waiting > 0 ORDER BY band DESC, turn, id LIMIT :limit",
)
FAIR_LANES = statement(
    "queue.fair_lanes",
    "SELECT band, turn, lane_id FROM lane_signatures WHERE signature_id = :signature_id"
    " ORDER BY band DESC, turn, lane_id LIMIT :limit",
)
LANES = statement("queue.lanes", "SELECT kind, id, turn, band FROM lanes WHERE waiting > 0")
RUNNING = statement(
    "queue.running",
    "SELECT coalesce(sum(w.processing), 0) FROM lanes l JOIN waiting_prompts w ON w.user_id = l.user_id AND w.lane_id = l.id"
    " WHERE l.id = :lane_id",
)
LAST_TURN = statement(
    "queue.last_turn",
    "SELECT max(coalesce((SELECT max(turn) FROM lanes), 0), coalesce((SELECT max(arrival) FROM waiting_prompts), 0))",
)
LANES_OF_USER = statement(
    "queue.lanes_of_user", "SELECT id FROM lanes WHERE kind = :kind AND user_id = :user_id AND waiting > 0"
)
LANE_ENTRIES = statement("queue.lane_entries", "SELECT signature_id FROM lane_signatures WHERE lane_id = :lane_id")
LANE_FIRST = statement(
    "queue.lane_first",
    "SELECT id FROM waiting_prompts WHERE lane_id = :lane_id AND n > 0 ORDER BY order_key DESC, arrival LIMIT 1",
)
LANE_HEAD = statement(
    "queue.lane_head",
    "SELECT order_key, arrival, id FROM waiting_prompts WHERE lane_id = :lane_id AND signature_id = :signature_id AND n > 0"
    " ORDER BY order_key DESC, arrival LIMIT :limit",
)
HEAD = statement(
    "queue.head",
    "SELECT order_key, arrival, id FROM waiting_prompts WHERE signature_id = :signature_id AND n > 0"
    " ORDER BY order_key DESC, arrival LIMIT :limit",
)


@dataclass(frozen=True, slots=True)
class Total:
    """What waits under one signature: jobs not handed out, jobs with those in flight, and their things."""

    signature_id: int
    waiting: int
    jobs: int
    things: int


def signature_id(tx: Tx, kind: Kind, needs: str) -> int:
    """The id of a set of needs (JSON), made when new."""
    found = tx.value(SIGNATURE_ID, kind=kind, needs=needs)
    return int(found if found is not None else tx.value(ADD_SIGNATURE, kind=kind, needs=needs))


def needs(tx: Tx, signature: int) -> str:
    return str(tx.value(NEEDS, id=signature))


def waiting_signatures(tx: Tx, kind: Kind) -> list[tuple[int, int]]:
    """(id, number of requests) of all needs that something waits for."""
    waiting = tx.remembered(_waiting(kind), lambda: dict(tx.all(WAITING_SIGNATURES, kind=kind)))
    return list(waiting.items()) if waiting else []


def _waiting(kind: Kind) -> tuple[str, Kind]:
    return "waiting signatures", kind


def _entered(waiting: dict[int, int], signature: int, requests: int) -> dict[int, int]:
    """In place: the memory is its only owner."""
    left = waiting.get(signature, 0) + requests
    if left:
        waiting[signature] = left
    else:
        del waiting[signature]
    return waiting


def totals(tx: Tx, kind: Kind) -> list[Total]:
    return [Total(*row) for row in tx.all(TOTALS, kind=kind)]


class Lane(msgspec.Struct, frozen=True):
    """A lane as it is stored; `waiting` counts jobs."""

    id: int
    band: int
    waiting: int


def find_lane(tx: Tx, kind: Kind, user_id: int, address: str) -> Lane | None:
    key = ("lane of", kind, user_id, address)
    lane_id = tx.remembered(key, lambda: tx.value(LANE_ID, kind=kind, user_id=user_id, address=address))
    return None if lane_id is None else tx.remembered(("lane", lane_id), lambda: _lane(tx, lane_id))


def _lane(tx: Tx, lane_id: int) -> Lane | None:
    row = tx.one(LANE, id=lane_id)
    return None if row is None else Lane(*row)


def add_lane(tx: Tx, kind: Kind, user_id: int, address: str, band: int) -> int:
    return int(tx.value(ADD_LANE, kind=kind, user_id=user_id, address=address, band=band))


def set_band(tx: Tx, lane_id: int, band: int) -> None:
    tx.run(SET_BAND, id=lane_id, band=band)
    tx.run(SET_ENTRY_BAND, id=lane_id, band=band)


def user_waiting(tx: Tx, kind: Kind, user_id: int) -> int:
    """Jobs of the user, in all its lanes, that wait for a worker (contract 3.1)."""
    return int(tx.value(USER_WAITING, kind=kind, user_id=user_id))


def move(tx: Tx, wp: WaitingPrompt, before: QueueShare, after: QueueShare, turn: int | None = None) -> None:
    """Bring the totals of the request's signature and lane from one share to another.

    turn: the lane got a job, so that it goes behind the others of its band.
    """
    if before == after:
        return
    entered = after.requests - before.requests
    waiting = after.waiting - before.waiting
    tx.run(
        MOVE_SIGNATURE,
        id=wp.signature_id,
        requests=entered,
        waiting=waiting,
        jobs=after.jobs - before.jobs,
        things=after.things - before.things,
    )
    if entered:
        tx.revise(_waiting(wp.kind), lambda waiting: _entered(waiting, wp.signature_id, entered))
    if turn is not None:
        tx.run(SERVE_LANE, id=wp.lane_id, turn=turn, waiting=waiting)
    elif waiting:
        tx.run(MOVE_LANE, id=wp.lane_id, waiting=waiting)
    if waiting:
        tx.revise(("lane", wp.lane_id), lambda lane: replace(lane, waiting=lane.waiting + waiting))
    if entered > 0:
        tx.run(ENTER, lane_id=wp.lane_id, signature_id=wp.signature_id)
    elif entered < 0 and not tx.run(LEAVE_LAST, lane_id=wp.lane_id, signature_id=wp.signature_id):
        tx.run(LEAVE, lane_id=wp.lane_id, signature_id=wp.signature_id)
    if turn is not None:
        tx.run(SERVE_ENTRIES, id=wp.lane_id, turn=turn)


def running(tx: Tx, lane_id: int) -> int:
    """Jobs of a lane that workers have now."""
    return int(tx.value(RUNNING, lane_id=lane_id))


def last_turn(tx: Tx) -> int:
    """The highest number that a lane or a request was given."""
    return int(tx.value(LAST_TURN))


def lanes_of_user(tx: Tx, kind: Kind, user_id: int) -> list[int]:
    return [row[0] for row in tx.all(LANES_OF_USER, kind=kind, user_id=user_id)]


def fair_lanes(tx: Tx, signatures: Collection[int], limit: int) -> list[int]:
    """Lanes with something for these signatures: by band, then least recently served; at most `limit` of each."""
    found = {
        (-band, turn, lane_id)
        for signature in signatures
        for band, turn, lane_id in tx.all(FAIR_LANES, signature_id=signature, limit=limit)
    }
    return [lane_id for _, _, lane_id in sorted(found)]


def first_lanes(tx: Tx, kind: Kind, limit: int) -> list[int]:
    """The lanes whose turn it is, whatever they wait for."""
    return [row[0] for row in tx.all(FIRST_LANES, kind=kind, limit=limit)]


def lane_first(tx: Tx, lane_id: int) -> str | None:
    """The id of the request at the head of a lane, whatever it needs."""
    found: str | None = tx.value(LANE_FIRST, lane_id=lane_id)
    return found


def lane_candidates(tx: Tx, lane_id: int, signatures: Collection[int], limit: int) -> list[str]:
    """Request ids at the head of a lane for these signatures, best first."""
    entries = [row[0] for row in tx.all(LANE_ENTRIES, lane_id=lane_id)]
    heads = [
        (-order_key, arrival, request_id)
        for signature in entries
        if signature in signatures
        for order_key, arrival, request_id in tx.all(LANE_HEAD, lane_id=lane_id, signature_id=signature, limit=limit)
    ]
    return [request_id for _, _, request_id in sorted(heads)[:limit]]


def head_candidates(tx: Tx, signatures: Collection[int], limit: int) -> list[str]:
    """Request ids in the reference's order: priority, then age."""
    heads = [
        (-order_key, arrival, request_id)
        for signature in signatures
        for order_key, arrival, request_id in tx.all(HEAD, signature_id=signature, limit=limit)
    ]
    return [request_id for _, _, request_id in sorted(heads)[:limit]]


def lanes(tx: Tx) -> list[tuple[Kind, int, int, int]]:
    """(kind, lane id, turn, band) of all lanes with something waiting."""
    return [(Kind(row[0]), row[1], row[2], row[3]) for row in tx.all(LANES)]
