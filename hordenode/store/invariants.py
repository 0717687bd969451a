"""What must hold of a node's database at any moment, checked with plain SQL on the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hordenode.store.errors import store_error

# Each query returns the rows that break a rule.
RULES: dict[str, str] = {
    "all balances sum to zero": "SELECT sum(balance) FROM accounts HAVING sum(balance) <> 0",
    "a balance is the sum of its ledger lines": """
        SELECT a.id, a.balance FROM accounts a LEFT JOIN (
            SELECT account, sum(amount) AS moved FROM (
                SELECT target AS account, amount FROM ledger UNION ALL SELECT source, -amount FROM ledger
            ) GROUP BY account
        ) l ON l.account = a.id
        WHERE a.balance <> coalesce(l.moved, 0)""",
    "no balance is below its floor": """
        SELECT a.id, a.balance FROM accounts a JOIN users u ON u.id = a.id
        WHERE a.balance < -50000 OR (u.id > 0 AND a.balance < 0)""",
    "finished counts the delivered jobs": """
        SELECT w.id, w.finished FROM waiting_prompts w
        WHERE w.finished <> (SELECT count(*) FROM jobs j WHERE j.request_id = w.id AND j.state = 'done')""",
    "processing counts the jobs in flight": """
        SELECT w.id, w.processing FROM waiting_prompts w
        WHERE w.processing <> (SELECT count(*) FROM jobs j WHERE j.request_id = w.id AND j.state = 'processing')""",
    "waiting + processing + finished = jobs": """
        SELECT id, n, processing, finished, jobs FROM waiting_prompts
        WHERE faulted = 0 AND n + processing + finished <> jobs""",
    "nothing is done more often than asked": "SELECT id FROM waiting_prompts WHERE finished > jobs",
    "a request that was given up or cancelled waits for nothing": """
        SELECT id FROM waiting_prompts WHERE (faulted = 1 OR cancelled = 1) AND n > 0""",
    "a signature's totals are those of its requests": """
        SELECT s.id FROM signatures s WHERE
            s.requests <> (SELECT count(*) FROM waiting_prompts w WHERE w.signature_id = s.id AND w.n > 0)
         OR s.waiting <> (SELECT coalesce(sum(n), 0) FROM waiting_prompts w WHERE w.signature_id = s.id)
         OR s.jobs <> (SELECT coalesce(sum(n + processing), 0) FROM waiting_prompts w
                       WHERE w.signature_id = s.id AND w.n > 0)
         OR s.things <> (SELECT coalesce(sum((n + processing) * things), 0) FROM waiting_prompts w
                         WHERE w.signature_id = s.id AND w.n > 0)""",
    "a lane's waiting jobs are those of its requests": """
        SELECT l.id FROM lanes l
        WHERE l.waiting <> (SELECT coalesce(sum(n), 0) FROM waiting_prompts w WHERE w.lane_id = l.id)""",
    "a lane stands under each signature that it waits for": """
        SELECT lane_id, signature_id, count(*) AS c FROM waiting_prompts WHERE n > 0 GROUP BY lane_id, signature_id
        EXCEPT SELECT lane_id, signature_id, requests FROM lane_signatures""",
    "a lane stands under no other signature": """
        SELECT lane_id, signature_id, requests FROM lane_signatures
        EXCEPT SELECT lane_id, signature_id, count(*) FROM waiting_prompts WHERE n > 0 GROUP BY lane_id, signature_id""",
    "band and turn are repeated as they are": """
        SELECT l.id FROM lanes l JOIN lane_signatures s ON s.lane_id = l.id
        WHERE s.band <> l.band OR s.turn <> l.turn""",
    "the file is sound": "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "no row points nowhere": "SELECT * FROM pragma_foreign_key_check",
}


def broken_rules(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rules that do not hold, with the rows that break them. Looks at one state of a database that may be in use."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            found = {name: connection.execute(query).fetchall() for name, query in RULES.items()}
        except sqlite3.DatabaseError as error:
            raise store_error(error) or error from error
    return {name: rows for name, rows in found.items() if rows}
