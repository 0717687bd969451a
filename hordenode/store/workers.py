"""Rows about workers."""

from __future__ import annotations

from msgspec.structs import replace

from hordenode.domain.entities import Worker
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_worker = reader(Worker)

BY_ID = statement("workers.by_id", f"SELECT {columns(Worker)} FROM workers WHERE id = :id")
ID_OF = statement("workers.id_of", "SELECT id FROM workers WHERE name = :name")
OF_USER = statement("workers.of_user", "SELECT id FROM workers WHERE user_id = :user_id ORDER BY created_ms")
COUNT_OF_USER = statement("workers.count_of_user", "SELECT count(*) FROM workers WHERE user_id = :user_id")
ALL = statement("workers.all", f"SELECT {columns(Worker)} FROM workers ORDER BY created_ms")
INSERT = statement("workers.insert", f"INSERT INTO workers ({columns(Worker)}) VALUES ({placeholders(Worker)})")
CHECK_IN = statement(
    "workers.check_in",
    "UPDATE workers SET seen_ms = :seen_ms, address = :address, bridge_agent = :bridge_agent, offer = :offer WHERE id = :id",
)
PRESENCE = statement(
    "workers.presence",
    "UPDATE workers SET seen_ms = :seen_ms, uptime_s = uptime_s + :uptime_s, speed = :speed,"
    " unpaid_s = CASE WHEN :returned THEN 0 ELSE unpaid_s + :uptime_s END WHERE id = :id RETURNING unpaid_s",
)
UPTIME = statement(
    "workers.uptime", "UPDATE workers SET unpaid_s = 0, kudos_uptime = kudos_uptime + :reward WHERE id = :id"
)
CREDIT = statement(
    "workers.credit",
    "UPDATE workers SET fulfilled = fulfilled + 1, contributed = contributed + :things,"
    " kudos_generated = kudos_generated + :reward WHERE id = :id",
    keeps=True,
)
ABORTED = statement(
    "workers.aborted",
    "UPDATE workers SET aborted = aborted + 1,"
    " hour_aborted = CASE WHEN :now_ms - hour_ms < 3600000 THEN hour_aborted + 1 ELSE 1 END,"
    " hour_ms = CASE WHEN :now_ms - hour_ms < 3600000 THEN hour_ms ELSE :now_ms END"
    " WHERE id = :id RETURNING hour_aborted",
)
FORGIVE_ABORTED = statement(
    "workers.forgive_aborted", "UPDATE workers SET hour_aborted = 0, hour_ms = 0 WHERE id = :id"
)
SAVE = statement(
    "workers.save",
    "UPDATE workers SET name = :name, info = :info, paused = :paused, maintenance = :maintenance,"
    " maintenance_message = :maintenance_message, team_id = :team_id WHERE id = :id",
)
UNPAUSE = statement("workers.unpause", "UPDATE workers SET paused = 0 WHERE user_id = :user_id AND paused = 1")
REFERENCED = statement("workers.referenced", "SELECT 1 FROM jobs WHERE worker_id = :id LIMIT 1")
DELETE = statement("workers.delete", "DELETE FROM workers WHERE id = :id")
OF_TEAM = statement(
    "workers.of_team", f"SELECT {columns(Worker)} FROM workers WHERE team_id = :team_id ORDER BY created_ms, id"
)
COUNT_AT = statement("workers.count_at", "SELECT count(*) FROM workers WHERE user_id = :user_id AND address = :address")


def by_id(tx: Tx, worker_id: str) -> Worker | None:
    def read() -> Worker | None:
        row = tx.one(BY_ID, id=worker_id)
        return None if row is None else _worker(row)

    return tx.remembered(("worker", worker_id), read)


def by_name(tx: Tx, name: str) -> Worker | None:
    worker_id = tx.remembered(("worker named", name), lambda: tx.value(ID_OF, name=name))
    return None if worker_id is None else by_id(tx, worker_id)


def ids_of_user(tx: Tx, user_id: int) -> list[str]:
    return [row[0] for row in tx.all(OF_USER, user_id=user_id)]


def count_of_user(tx: Tx, user_id: int) -> int:
    return int(tx.value(COUNT_OF_USER, user_id=user_id))


def everyone(tx: Tx) -> list[Worker]:
    return [_worker(row) for row in tx.all(ALL)]


def insert(tx: Tx, worker: Worker) -> None:
    tx.run(INSERT, **values(worker))


def check_in(tx: Tx, worker: Worker) -> None:
    """What a pop brought: the offered settings and where from."""
    tx.run(
        CHECK_IN,
        id=worker.id,
        seen_ms=worker.seen_ms,
        address=worker.address,
        bridge_agent=worker.bridge_agent,
        offer=worker.offer,
    )


def save_presence(
    tx: Tx, worker_id: str, seen_ms: int, uptime_s: int, speed: float | None, *, returned: bool = False
) -> int:
    """What is kept in memory between the janitor's rounds; `uptime_s` is added. Returns the seconds not rewarded yet.

    Coming back from being away starts them anew (contract 10.7).
    """
    unpaid = tx.value(PRESENCE, id=worker_id, seen_ms=seen_ms, uptime_s=uptime_s, speed=speed, returned=returned)
    return int(unpaid or 0)


def pay_uptime(tx: Tx, worker_id: str, reward: int) -> None:
    """Ten minutes are rewarded, the next ones begin."""
    tx.run(UPTIME, id=worker_id, reward=reward)


def credit(tx: Tx, worker_id: str, things: int, reward: int) -> None:
    """One more delivered job."""
    tx.run(CREDIT, id=worker_id, things=things, reward=reward)
    tx.revise(
        ("worker", worker_id),
        lambda it: replace(
            it,
            fulfilled=it.fulfilled + 1,
            contributed=it.contributed + things,
            kudos_generated=it.kudos_generated + reward,
        ),
    )


def count_aborted(tx: Tx, worker_id: str, now_ms: int) -> int:
    """One more job without a result; returns how many there were within the running hour."""
    return int(tx.value(ABORTED, id=worker_id, now_ms=now_ms) or 0)


def forgive_aborted(tx: Tx, worker_id: str) -> None:
    """The hour starts again."""
    tx.run(FORGIVE_ABORTED, id=worker_id)


def save(tx: Tx, worker: Worker) -> None:
    """What people decide: name, info, pause, maintenance, team."""
    tx.run(
        SAVE,
        id=worker.id,
        name=worker.name,
        info=worker.info,
        paused=worker.paused,
        maintenance=worker.maintenance,
        maintenance_message=worker.maintenance_message,
        team_id=worker.team_id,
    )


def unpause_of_user(tx: Tx, user_id: int) -> None:
    tx.run(UNPAUSE, user_id=user_id)


def is_referenced(tx: Tx, worker_id: str) -> bool:
    """Whether a stored job names the worker. Looks through all jobs: there is no index, since only a delete asks."""
    return tx.one(REFERENCED, id=worker_id) is not None


def delete(tx: Tx, worker_id: str) -> None:
    """The worker, which no job may name any more."""
    tx.run(DELETE, id=worker_id)


def of_team(tx: Tx, team_id: str) -> list[Worker]:
    """Oldest first."""
    return [_worker(row) for row in tx.all(OF_TEAM, team_id=team_id)]


def count_at(tx: Tx, user_id: int, address: str) -> int:
    """How many workers of the user were last seen at this address."""
    return int(tx.value(COUNT_AT, user_id=user_id, address=address))
