"""What must hold of a node's database at any moment: the rules that `hordenode doctor` checks too, and of a young one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hordenode.store.invariants import RULES, broken_rules

__all__ = ["RULES", "broken_ledger_rules", "broken_rules"]

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
