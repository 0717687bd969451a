"""Rows about kudos: balances, the append-only ledger, and what a user's balance is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from hordenode.domain.ledger import Posting
from hordenode.store.tx import Tx, statement

BALANCE = statement("ledger.balance", "SELECT balance FROM accounts WHERE id = :id")
MOVE = statement("ledger.move", "UPDATE accounts SET balance = balance + :amount WHERE id = :id")
MOVE_TWO = statement(
    "ledger.move_two",
    "UPDATE accounts SET balance = balance + CASE id WHEN :one THEN :one_gets ELSE :other_gets END WHERE id IN (:one, :other)",
)
APPEND = statement(
    "ledger.append",
    "INSERT INTO ledger (at_ms, source, target, amount, reason, request_id, job_id)"
    " VALUES (:at_ms, :source, :target, :amount, :reason, :request_id, :job_id)",
)
DETAIL = statement(
    "ledger.detail",
    "INSERT INTO user_kudos (user_id, accumulated, admin, evaluating) VALUES (:user_id, :accumulated, :admin, :evaluating)"
    " ON CONFLICT (user_id) DO UPDATE SET accumulated = accumulated + excluded.accumulated,"
    " admin = admin + excluded.admin, evaluating = evaluating + excluded.evaluating",
)
DETAILS = statement(
    "ledger.details",
    "SELECT accumulated, gifted, donated, admin, received, recurring, awarded, styled, evaluating"
    " FROM user_kudos WHERE user_id = :user_id",
)
SUM = statement("ledger.sum", "SELECT coalesce(sum(balance), 0) FROM accounts")


@dataclass(frozen=True, slots=True)
class KudosDetails:
    """`kudos_details` of a user in thousandths (contract 10.5)."""

    accumulated: int = 0
    gifted: int = 0
    donated: int = 0
    admin: int = 0
    received: int = 0
    recurring: int = 0
    awarded: int = 0
    styled: int = 0
    evaluating: int = 0


def balance(tx: Tx, account: int) -> int:
    """Thousandths of a kudos; KeyError for an account that does not exist."""
    found = tx.value(BALANCE, id=account)
    if found is None:
        raise KeyError(f"no account {account}")
    return int(found)


def post(
    tx: Tx, postings: Iterable[Posting], now_ms: int, *, request_id: str | None = None, job_id: str | None = None
) -> None:
    """Append the postings and move the balances, in the caller's transaction."""
    moves: dict[int, int] = {}
    for posting in postings:
        tx.run(
            APPEND,
            at_ms=now_ms,
            source=posting.source,
            target=posting.target,
            amount=posting.amount,
            reason=posting.reason,
            request_id=request_id,
            job_id=job_id,
        )
        moves[posting.source] = moves.get(posting.source, 0) - posting.amount
        moves[posting.target] = moves.get(posting.target, 0) + posting.amount
    if len(moves) == 2:  # nearly always: what a user pays is burnt, what it earns is minted
        (one, one_gets), (other, other_gets) = moves.items()
        tx.run(MOVE_TWO, one=one, one_gets=one_gets, other=other, other_gets=other_gets)
        return
    for account, amount in moves.items():
        tx.run(MOVE, id=account, amount=amount)


def add_detail(tx: Tx, user_id: int, *, accumulated: int = 0, admin: int = 0, evaluating: int = 0) -> None:
    tx.run(DETAIL, user_id=user_id, accumulated=accumulated, admin=admin, evaluating=evaluating)


def details(tx: Tx, user_id: int) -> KudosDetails:
    row = tx.one(DETAILS, user_id=user_id)
    return (
        KudosDetails()
        if row is None
        else KudosDetails(**dict(zip((f.name for f in fields(KudosDetails)), row, strict=True)))
    )


def total(tx: Tx) -> int:
    """The sum of all balances: always zero."""
    return int(tx.value(SUM))
