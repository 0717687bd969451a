"""Rows about kudos that are set aside for running requests. They go with their request."""

from __future__ import annotations

from hordenode.store.tx import Tx, statement

ADD = statement("holds.add", "INSERT INTO holds (request_id, user_id, amount) VALUES (:request_id, :user_id, :amount)")
OF_USER = statement(
    "holds.of_user",
    "SELECT coalesce(sum(h.amount), 0) FROM holds h JOIN waiting_prompts w ON w.id = h.request_id"
    " WHERE h.user_id = :user_id AND w.faulted = 0 AND (w.n > 0 OR w.processing > 0)",
)


def add(tx: Tx, request_id: str, user_id: int, amount: int) -> None:
    """The user cannot spend so much otherwise until the request is done."""
    tx.run(ADD, request_id=request_id, user_id=user_id, amount=amount)


def of_user(tx: Tx, user_id: int) -> int:
    """What is set aside for requests of the user that are not done yet."""
    return int(tx.value(OF_USER, user_id=user_id))
