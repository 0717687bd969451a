"""Balanced postings: every movement of kudos names where it comes from and where it goes (contract 10.5, 10.6).

A user's account has the user's id. The node's own accounts: MINT is where earned kudos come from, BURN where spent
ones go, FLOOR lifts balances to their minimum, RESERVATION holds what is set aside for a running request, and
EVALUATION what untrusted workers will get once they are trusted. All balances together are always zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from hordenode.domain.entities import User
from hordenode.domain.kudos import floor_of

MINT, BURN, FLOOR, RESERVATION, EVALUATION = -1, -2, -3, -4, -5


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` > 0 thousandths of a kudos go from one account to another."""

    source: int
    target: int
    amount: int
    reason: str


def charge(user: User, balance: int, amount: int, reason: str) -> tuple[Posting, ...]:
    """The user pays; what would leave the balance under its floor comes from FLOOR."""
    if amount <= 0:
        return ()
    paid = Posting(user.id, BURN, amount, reason)
    missing = floor_of(user) - (balance - amount)
    return (paid, Posting(FLOOR, user.id, missing, "floor")) if missing > 0 else (paid,)


def reward(user: User, balance: int, amount: int, reason: str) -> tuple[Posting, ...]:
    """The user earns; half of it waits for evaluation while the user is untrusted (contract 10.6)."""
    if amount <= 0:
        return ()
    held = 0 if user.trusted or user.anonymous else amount // 2
    postings = [Posting(MINT, user.id, amount - held, reason)]
    if held:
        postings.append(Posting(MINT, EVALUATION, held, reason))
    missing = floor_of(user) - (balance + amount - held)
    if missing > 0:
        postings.append(Posting(FLOOR, user.id, missing, "floor"))
    return tuple(postings)


def grant(user: User, amount: int, reason: str) -> tuple[Posting, ...]:
    """The owner changes a balance by hand, either way."""
    if amount == 0:
        return ()
    source, target = (MINT, user.id) if amount > 0 else (user.id, BURN)
    return (Posting(source, target, abs(amount), reason),)


def hold(user: User, amount: int) -> tuple[Posting, ...]:
    """Kudos set aside for a request (contract 5)."""
    return (Posting(user.id, RESERVATION, amount, "hold"),) if amount > 0 else ()


def release(user: User, amount: int) -> tuple[Posting, ...]:
    """Kudos set aside come back when the request ends."""
    return (Posting(RESERVATION, user.id, amount, "release"),) if amount > 0 else ()
