"""Putting right what a database says twice: counters that disagree with the rows they count, rows that point nowhere.

The rows are the truth: jobs over requests, requests over the queue's totals, the ledger over balances. For a database
that nobody else uses at the moment.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hordenode.store.errors import store_error
from hordenode.store.invariants import broken_rules

# In this order: what later ones count, earlier ones have put right.
REPAIRS = (
    """UPDATE waiting_prompts SET
        finished = (SELECT count(*) FROM jobs j WHERE j.request_id = waiting_prompts.id AND j.state = 'done'),
        processing = (SELECT count(*) FROM jobs j WHERE j.request_id = waiting_prompts.id AND j.state = 'processing')""",
    "UPDATE waiting_prompts SET n = 0 WHERE faulted = 1 OR cancelled = 1",
    "UPDATE waiting_prompts SET jobs = finished + processing WHERE cancelled = 1",
    "UPDATE waiting_prompts SET jobs = max(jobs, finished + processing) WHERE faulted = 0 AND cancelled = 0",
    "UPDATE waiting_prompts SET n = jobs - finished - processing WHERE faulted = 0 AND cancelled = 0",
    """UPDATE signatures SET
        requests = (SELECT count(*) FROM waiting_prompts w WHERE w.signature_id = signatures.id AND w.n > 0),
        waiting = (SELECT coalesce(sum(n), 0) FROM waiting_prompts w WHERE w.signature_id = signatures.id),
        jobs = (SELECT coalesce(sum(n + processing), 0) FROM waiting_prompts w
                WHERE w.signature_id = signatures.id AND w.n > 0),
        things = (SELECT coalesce(sum((n + processing) * things), 0) FROM waiting_prompts w
                  WHERE w.signature_id = signatures.id AND w.n > 0)""",
    """UPDATE lanes SET waiting = (SELECT coalesce(sum(n), 0) FROM waiting_prompts w WHERE w.lane_id = lanes.id)""",
    "DELETE FROM lane_signatures",
    """INSERT INTO lane_signatures (lane_id, signature_id, requests, band, turn)
        SELECT w.lane_id, w.signature_id, count(*), l.band, l.turn FROM waiting_prompts w JOIN lanes l ON l.id = w.lane_id
        WHERE w.n > 0 GROUP BY w.lane_id, w.signature_id""",
    "UPDATE accounts SET balance = 0",
    """UPDATE accounts SET balance = l.moved FROM (
        SELECT account, sum(amount) AS moved FROM (
            SELECT target AS account, amount FROM ledger UNION ALL SELECT source, -amount FROM ledger
        ) GROUP BY account
    ) AS l WHERE l.account = accounts.id""",
)


def repair(database: Path) -> list[str]:
    """Repair the file in place; the rules that did not hold before. Raises StoreError for what only a backup helps.

    The caller has made a copy, and sees to it that no node runs.
    """
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("REINDEX")
        broken = list(broken_rules(database))
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            if broken:
                _repair(connection)
            connection.execute("VACUUM")
            connection.execute("PRAGMA optimize")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise store_error(error) or error from error
    return broken


def _repair(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    while orphans := connection.execute('SELECT DISTINCT "table", rowid FROM pragma_foreign_key_check').fetchall():
        for table, rowid in orphans:
            if rowid is None:  # a table without row ids: its children are made anew below, or are keys without a user
                _drop_unowned(connection, table)
            else:
                connection.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))
    for statement in REPAIRS:
        connection.execute(statement)
    connection.execute("COMMIT")


def _drop_unowned(connection: sqlite3.Connection, table: str) -> None:
    """Delete the rows of a WITHOUT ROWID table whose parents are gone."""
    for _, _, parent, column, parent_column, *_ in connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall():
        connection.execute(
            f'DELETE FROM "{table}" WHERE "{column}" IS NOT NULL'
            f' AND "{column}" NOT IN (SELECT "{parent_column or "rowid"}" FROM "{parent}")'
        )
