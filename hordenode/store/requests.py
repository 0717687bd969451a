"""Rows about requests: their counters and what they ask for."""

from __future__ import annotations

import msgspec

from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.lifecycle import QueueShare, is_done, queue_share
from hordenode.store import queue
from hordenode.store.memory import REQUEST
from hordenode.store.rows import columns, placeholders, reader
from hordenode.store.tx import Statement, Tx, statement

_waiting_prompt = reader(WaitingPrompt)

FIND = statement("requests.find", f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE id = :id")
INSERT = statement(
    "requests.insert",
    f"INSERT INTO waiting_prompts ({columns(WaitingPrompt)}) VALUES ({placeholders(WaitingPrompt)})",
    keeps=True,
)
INSERT_SPEC = statement(
    "requests.insert_spec",
    "INSERT INTO request_specs (request_id, spec, client_agent, address, proxied_account)"
    " VALUES (:request_id, :spec, :client_agent, :address, :proxied_account)",
)
SPEC = statement("requests.spec", "SELECT spec FROM request_specs WHERE request_id = :id")
_COUNTERS = "jobs processing finished restarted faulted cancelled consumed"


def _advance(name: str, indexed: str) -> Statement:
    changes = ", ".join(f"{counter} = :{counter}" for counter in f"{_COUNTERS} {indexed}".split())
    return statement(f"requests.{name}", f"UPDATE waiting_prompts SET {changes} WHERE id = :id", keeps=True)


# By whether n and expires_ms change, which are in indexes.
ADVANCE = {
    (False, False): _advance("advance", ""),
    (True, False): _advance("advance_n", "n"),
    (False, True): _advance("advance_life", "expires_ms"),
    (True, True): _advance("advance_n_life", "n expires_ms"),
}
EXPIRED = statement(
    "requests.expired",
    f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE expires_ms < :now_ms ORDER BY expires_ms LIMIT :limit",
)
DELETE = statement("requests.delete", "DELETE FROM waiting_prompts WHERE id = :id")
OF_USER = statement(
    "requests.of_user",
    "SELECT id, kind FROM waiting_prompts WHERE user_id = :user_id AND faulted = 0 AND (n > 0 OR processing > 0)"
    " ORDER BY created_ms",
)
ALL_OF_USER = statement(
    "requests.all_of_user", f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE user_id = :user_id"
)
OF_SHARED_KEY = statement(
    "requests.of_shared_key",
    f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE sharedkey_id = :sharedkey_id",
)
WAITING = statement("requests.waiting", f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE n > 0")
SOME_WAITING = statement(
    "requests.some_waiting",
    f"SELECT {columns(WaitingPrompt)} FROM waiting_prompts WHERE n > 0 AND kind = :kind LIMIT :limit",
)


class StoredSpec(msgspec.Struct, frozen=True):
    """What goes into request_specs beside the counters."""

    spec: str
    client_agent: str
    address: str
    proxied_account: str | None = None


def find(tx: Tx, request_id: str, kind: Kind) -> WaitingPrompt | None:
    """The request, if it is of this kind (contract 8.6: an id of the other kind is unknown)."""
    wp = find_any(tx, request_id)
    return None if wp is None or wp.kind is not kind else wp


def find_any(tx: Tx, request_id: str) -> WaitingPrompt | None:
    def read() -> WaitingPrompt | None:
        row = tx.one(FIND, id=request_id)
        return None if row is None else _waiting_prompt(row)

    return tx.remembered((REQUEST, request_id), read)


def spec(tx: Tx, request_id: str) -> str:
    """The request's spec as JSON."""
    return str(tx.value(SPEC, id=request_id))


def insert(tx: Tx, wp: WaitingPrompt, stored: StoredSpec) -> None:
    """A new request, at once part of the queue."""
    tx.store(INSERT, wp)
    tx.now_is((REQUEST, wp.id), wp)
    tx.run(
        INSERT_SPEC,
        request_id=wp.id,
        spec=stored.spec,
        client_agent=stored.client_agent,
        address=stored.address,
        proxied_account=stored.proxied_account,
    )
    queue.move(tx, wp, QueueShare(0, 0, 0, 0), queue_share(wp))


def advance(tx: Tx, before: WaitingPrompt, after: WaitingPrompt, turn: int | None = None) -> None:
    """Store the counters after an event of domain/lifecycle.py and keep the queue's totals equal to them.

    turn: of the lane, when it got a job.
    """
    st = ADVANCE[before.n != after.n, before.expires_ms != after.expires_ms]
    tx.store(st, after)
    tx.now_is((REQUEST, after.id), after)
    if is_done(after):
        tx.let_go((REQUEST, after.id))
    queue.move(tx, after, queue_share(before), queue_share(after), turn)


def expired(tx: Tx, now_ms: int, limit: int) -> list[WaitingPrompt]:
    return [_waiting_prompt(row) for row in tx.all(EXPIRED, now_ms=now_ms, limit=limit)]


def delete(tx: Tx, wp: WaitingPrompt) -> None:
    """The request with its spec and jobs."""
    queue.move(tx, wp, queue_share(wp), QueueShare(0, 0, 0, 0))
    tx.run(DELETE, id=wp.id)


def open_of_user(tx: Tx, user_id: int) -> list[tuple[str, Kind]]:
    return [(row[0], Kind(row[1])) for row in tx.all(OF_USER, user_id=user_id)]


def of_user(tx: Tx, user_id: int) -> list[WaitingPrompt]:
    """All stored requests of a user."""
    return [_waiting_prompt(row) for row in tx.all(ALL_OF_USER, user_id=user_id)]


def of_shared_key(tx: Tx, sharedkey_id: str) -> list[WaitingPrompt]:
    """All stored requests made with a shared key."""
    return [_waiting_prompt(row) for row in tx.all(OF_SHARED_KEY, sharedkey_id=sharedkey_id)]


def waiting(tx: Tx) -> list[WaitingPrompt]:
    """All requests with jobs to hand out: for building the line at start."""
    return [_waiting_prompt(row) for row in tx.all(WAITING)]


def some_waiting(tx: Tx, kind: Kind, limit: int) -> list[WaitingPrompt]:
    """Some of the requests of a kind with jobs to hand out."""
    return [_waiting_prompt(row) for row in tx.all(SOME_WAITING, kind=kind, limit=limit)]
