"""Kudos that the owner of a horde gives or takes, and what changes with trust (contract 2.3, 10.6)."""

from __future__ import annotations

from hordenode.domain import ledger as postings
from hordenode.domain.entities import User
from hordenode.domain.ledger import BURN, EVALUATION, Posting
from hordenode.ops.events import KudosMoved
from hordenode.store import ledger, workers
from hordenode.store.ledger import KudosDetails
from hordenode.store.tx import Tx


def give(tx: Tx, user: User, amount: int, reason: str, now_ms: int, *, by: User | None = None) -> None:
    """Thousandths for the user, taken when negative, though not below the floor. `reason`: admin or recurring."""
    if amount == 0:
        return
    moved = postings.grant(user, ledger.balance(tx, user.id), amount, reason, f"by {by.alias}" if by else "")
    ledger.post(tx, moved, now_ms)
    ledger.add_details(tx, user.id, KudosDetails(**{reason: amount}))
    tx.emit(KudosMoved(account=user.id, amount=amount))


def make_trusted(tx: Tx, user: User, now_ms: int) -> None:
    """What comes with trust: paused workers go on, and kudos held back are the user's."""
    workers.unpause_of_user(tx, user.id)
    held = ledger.details(tx, user.id).evaluating
    if held <= 0:
        return
    ledger.post(tx, postings.trust(user, ledger.balance(tx, user.id), held), now_ms)
    ledger.add_details(tx, user.id, KudosDetails(accumulated=held, evaluating=-held))
    tx.emit(KudosMoved(account=user.id, amount=held))


def take_everything(tx: Tx, user: User, now_ms: int) -> None:
    """A user that goes leaves nothing behind: an account without a user is empty."""
    for account, amount in (
        (user.id, ledger.balance(tx, user.id)),
        (EVALUATION, ledger.details(tx, user.id).evaluating),
    ):
        if amount > 0:
            ledger.post(tx, (Posting(account, BURN, amount, "wiped", user.id),), now_ms)
