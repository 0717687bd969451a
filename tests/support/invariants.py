"""What must hold of a node's database at any moment, checked with plain SQL on the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

# Each query returns the rows that break a rule.
RULES: dict[str, str] = {
    "all balances sum to zero": "SELECT sum(balance) FROM accounts HAVING sum(balance) <> 0",
    "a balance is the sum of its ledger lines": """
        SELECT a.id, a.balance FROM accounts a WHERE a.balance <>
            (SELECT coalesce(sum(amount), 0) FROM ledger WHERE target = a.id)
          - (SELECT coalesce(sum(amount), 0) FROM ledger WHERE source = a.id)""",
    "each line concerns one user": """
        SELECT id FROM ledger WHERE user_id IS NULL OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = user_id)
            OR (source >= 0 AND source <> user_id) OR (target >= 0 AND target <> user_id)""",
    "what is held back is what its users have coming": """
        SELECT a.balance FROM accounts a WHERE a.id = -5
           AND a.balance <> (SELECT coalesce(sum(evaluating), 0) FROM user_kudos)""",
    "what passes through does not stay": "SELECT balance FROM accounts WHERE id = -4 AND balance <> 0",
    "a balance is made of its details and its lifts to the floor": """
        SELECT a.id, a.balance FROM accounts a LEFT JOIN user_kudos k ON k.user_id = a.id
        WHERE a.id >= 0 AND EXISTS (SELECT 1 FROM users u WHERE u.id = a.id) AND a.balance <>
            coalesce(k.accumulated + k.gifted + k.donated + k.admin + k.received + k.recurring + k.awarded + k.styled, 0)
          + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE target = a.id AND reason = 'floor')""",
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
    "a request that was given up has no more than was asked": """
        SELECT id FROM waiting_prompts WHERE n + processing + finished > jobs""",
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
    """The rules that do not hold, with the rows that break them."""
    connection = sqlite3.connect(database)
    try:
        found = {name: connection.execute(query).fetchall() for name, query in RULES.items()}
    finally:
        connection.close()
    return {name: rows for name, rows in found.items() if rows}
