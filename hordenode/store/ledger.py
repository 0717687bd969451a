"""Rows about kudos: balances, the append-only ledger, and what a user's balance is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import asdict, astuple

from hordenode.domain.ledger import Posting, net
from hordenode.store.tx import Tx, statement

BALANCE = statement("ledger.balance", "SELECT balance FROM accounts WHERE id = :id")
MOVE = statement("ledger.move", "UPDATE accounts SET balance = balance + :amount WHERE id = :id", keeps=True)
APPEND = statement(
    "ledger.append",
    "INSERT INTO ledger (at_ms, source, target, amount, reason, request_id, job_id, user_id, note)"
    " VALUES (:at_ms, :source, :target, :amount, :reason, :request_id, :job_id, :user_id, :note)",
)
ADD_EARNED = statement(
    "ledger.add_earned",
    "INSERT INTO user_kudos (user_id, accumulated, evaluating) VALUES (:user_id, :accumulated, :evaluating)"
    " ON CONFLICT (user_id) DO UPDATE SET accumulated = accumulated + excluded.accumulated,"
    " evaluating = evaluating + excluded.evaluating",
)
ADD_DETAILS = statement(
    "ledger.add_details",
    "INSERT INTO user_kudos (user_id, accumulated, gifted, donated, admin, received, recurring, awarded, styled, evaluating)"
    " VALUES (:user_id, :accumulated, :gifted, :donated, :admin, :received, :recurring, :awarded, :styled, :evaluating)"
    " ON CONFLICT (user_id) DO UPDATE SET accumulated = accumulated + excluded.accumulated,"
    " gifted = gifted + excluded.gifted, donated = donated + excluded.donated, admin = admin + excluded.admin,"
    " received = received + excluded.received, recurring = recurring + excluded.recurring,"
    " awarded = awarded + excluded.awarded, styled = styled + excluded.styled, evaluating = evaluating + excluded.evaluating",
)
DETAILS = statement(
    "ledger.details",
    "SELECT accumulated, gifted, donated, admin, received, recurring, awarded, styled, evaluating"
    " FROM user_kudos WHERE user_id = :user_id",
)
PAGE = statement(
    "ledger.page",
    "SELECT id, at_ms, source, target, amount, reason, request_id, job_id, note FROM ledger"
    " WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit",
)
SINCE = statement(
    "ledger.since",
    "SELECT coalesce(sum(CASE WHEN target = :user_id THEN amount WHEN source = :user_id THEN -amount ELSE 0 END), 0)"
    " FROM ledger WHERE user_id = :user_id AND id >= :before",
)
SUM = statement("ledger.sum", "SELECT coalesce(sum(balance), 0) FROM accounts")


class KudosDetails(msgspec.Struct, frozen=True):
    """`kudos_details` of a user in thousandths (contract 10.5).

    The balance is their sum without `evaluating`, plus what lifted it to its floor.
    """

    accumulated: int = 0
    gifted: int = 0
    donated: int = 0
    admin: int = 0
    received: int = 0
    recurring: int = 0
    awarded: int = 0
    styled: int = 0
    evaluating: int = 0


class Earned(msgspec.Struct, frozen=True):
    """What a user earned on jobs (negative: spent), and what of its earnings is held back, in thousandths."""

    user_id: int
    accumulated: int
    evaluating: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the ledger as it stands on a user's page."""

    id: int
    at_ms: int
    source: int
    target: int
    amount: int
    reason: str
    request_id: str | None
    job_id: str | None
    note: str


def balance(tx: Tx, account: int) -> int:
    """Thousandths of a kudos; KeyError for an account that does not exist."""
    found = tx.remembered(("balance", account), lambda: tx.value(BALANCE, id=account))
    if found is None:
        raise KeyError(f"no account {account}")
    return int(found)


def post(
    tx: Tx, postings: Sequence[Posting], now_ms: int, *, request_id: str | None = None, job_id: str | None = None
) -> None:
    """Append the postings and move the balances, in the caller's transaction."""
    tx.insert(
        APPEND,
        [
            (now_ms, it.source, it.target, it.amount, it.reason, request_id, job_id, it.user_id, it.note)
            for it in postings
        ],
    )
    moves = net(postings)
    tx.many(MOVE, [{"id": account, "amount": amount} for account, amount in moves.items()])
    for account, amount in moves.items():
        tx.revise(("balance", account), amount.__add__)


def add_earned(tx: Tx, *earned: Earned) -> None:
    """Add what users earned on jobs, and what of it is held back."""
    tx.insert(
        ADD_EARNED,
        [astuple(it) for it in earned],
    )


def add_details(tx: Tx, user_id: int, more: KudosDetails) -> None:
    """Add to what a user's balance is made of."""
    tx.run(ADD_DETAILS, user_id=user_id, **asdict(more))


def details(tx: Tx, user_id: int) -> KudosDetails:
    row = tx.one(DETAILS, user_id=user_id)
    return KudosDetails() if row is None else KudosDetails(*row)


def page(tx: Tx, user_id: int, before: int, limit: int) -> list[Line]:
    """The user's latest lines with an id below `before`, newest first."""
    return [Line(*row) for row in tx.all(PAGE, user_id=user_id, before=before, limit=limit)]


def moved_since(tx: Tx, user_id: int, first: int) -> int:
    """What the lines from id `first` on changed of the user's balance."""
    return int(tx.value(SINCE, user_id=user_id, before=first))


def total(tx: Tx) -> int:
    """The sum of all balances: always zero."""
    return int(tx.value(SUM))
