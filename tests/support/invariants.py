"""What must hold of a node's database at any moment: the rules that `hordenode doctor` checks too, and of a young one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from hordenode.domain.entities import Kind
from hordenode.store import jobs, ledger, queue, requests, users, workers
from hordenode.store.invariants import RULES, broken_rules
from hordenode.store.tx import Tx

__all__ = ["RULES", "broken_ledger_rules", "broken_rules", "often_read"]

# These hold until old ledger lines are made into one (coordinator/retention.py) and users are wiped.
LEDGER_RULES = {
    "each line concerns one user": """
        SELECT id FROM ledger WHERE user_id IS NULL OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = user_id)
            OR (source >= 0 AND source <> user_id) OR (target >= 0 AND target <> user_id)""",
    "what is held back is what its users have coming": """
        SELECT a.balance FROM accounts a WHERE a.id = -5
           AND a.balance <> (SELECT coalesce(sum(evaluating), 0) FROM user_kudos)""",
    "what passes through does not stay": "SELECT balance FROM accounts WHERE id = -4 AND balance <> 0",
    "a balance is made of its details and its lifts to the floor": """
        SELECT a.id, a.balance FROM accounts a LEFT JOIN user_kudos k ON k.user_id = a.id
        WHERE a.id >= 0 AND a.balance <>
            coalesce(k.accumulated + k.gifted + k.donated + k.admin + k.received + k.recurring + k.awarded + k.styled, 0)
          + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE target = a.id AND reason = 'floor')""",
    "a request that was given up has no more than was asked": """
        SELECT id FROM waiting_prompts WHERE n + processing + finished > jobs""",
}


def broken_ledger_rules(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Those of both kinds that do not hold, with the rows that break them."""
    with closing(sqlite3.connect(database)) as connection:
        found = {name: connection.execute(query).fetchall() for name, query in LEDGER_RULES.items()}
    return {**broken_rules(database), **{name: rows for name, rows in found.items() if rows}}


def often_read(tx: Tx, user_ids: Iterable[int]) -> dict[tuple[str, object], object]:
    """What connections remember, as this one knows it: users, balances, lanes, workers, requests, jobs, what waits.

    Requests and jobs are also read as they are stored, and must be the same.
    """
    found: dict[tuple[str, object], object] = {}
    for user_id in user_ids:
        found["user", user_id] = users.find(tx, user_id)
        found["balance", user_id] = ledger.balance(tx, user_id)
        for kind in Kind:
            found["lane", (kind, user_id)] = queue.find_lane(tx, kind, user_id, "")
        for stored in requests.of_user(tx, user_id):
            found["request", stored.id] = requests.find_any(tx, stored.id)
            assert found["request", stored.id] == stored
            for job in jobs.running_of(tx, stored.id):
                assert jobs.find(tx, job.id) == job
    for worker in workers.everyone(tx):
        found["worker", worker.name] = workers.by_name(tx, worker.name)
        assert workers.by_id(tx, worker.id) == worker
    for kind in Kind:
        found["waiting", kind] = sorted(queue.waiting_signatures(tx, kind))
    return found
