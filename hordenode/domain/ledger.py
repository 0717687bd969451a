"""Balanced postings: every movement of kudos names where it comes from and where it goes (contract 10.5, 10.6).

A user's account has the user's id. The node's own accounts: MINT is where earned kudos come from, BURN where spent
ones go, FLOOR lifts balances to their minimum, TRANSIT is what a transfer passes through, so that each posting concerns
one user, and EVALUATION is what untrusted workers will get once they are trusted. All balances together are always zero.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hordenode.domain.entities import User
from hordenode.domain.kudos import floor_of

MINT, BURN, FLOOR, TRANSIT, EVALUATION = -1, -2, -3, -4, -5

# What a posting is for, in the words of a user's ledger page.
REASONS = {
    "request": "request accepted",
    "generation": "job done",
    "uptime": "worker online",
    "floor": "lifted to the minimum",
    "trust": "trusted: what was held back is yours",
    "transfer": "transfer",
    "award": "award",
    "recurring": "monthly kudos",
    "style": "your style was used",
    "admin": "changed by the owner of the horde",
    "wiped": "account wiped",
    "carried": "earlier movements together",
}
CARRIED = "carried"


class Posting(msgspec.Struct, frozen=True):
    """`amount` > 0 thousandths of a kudos go from one account to another.

    user_id: whose ledger page it stands on. note: how the amount came about.
    """

    source: int
    target: int
    amount: int
    reason: str
    user_id: int
    note: str = ""


def net(postings: Iterable[Posting]) -> dict[int, int]:
    """Account to the change of its balance."""
    moves: dict[int, int] = {}
    for posting in postings:
        moves[posting.source] = moves.get(posting.source, 0) - posting.amount
        moves[posting.target] = moves.get(posting.target, 0) + posting.amount
    return moves


def charge(user: User, balance: int, amount: int, reason: str, note: str = "") -> tuple[Posting, ...]:
    """The user pays; what would leave the balance under its floor comes from FLOOR."""
    return _pay(user, balance, amount, BURN, reason, note)


def send(user: User, balance: int, amount: int, note: str) -> tuple[Posting, ...]:
    """The user's half of a transfer."""
    return _pay(user, balance, amount, TRANSIT, "transfer", note)


def receive(user: User, balance: int, amount: int, note: str) -> tuple[Posting, ...]:
    """The other half: `amount` arrives."""
    return _get(user, balance, amount, TRANSIT, "transfer", note)


def grant(user: User, balance: int, amount: int, reason: str, note: str = "") -> tuple[Posting, ...]:
    """Kudos made for the user, or taken when `amount` is negative, though not below the floor."""
    if amount < 0:
        return charge(user, balance, -amount, reason, note)
    return _get(user, balance, amount, MINT, reason, note)


def reward(user: User, balance: int, amount: int, reason: str, note: str = "") -> tuple[Posting, ...]:
    """The user earns; half of it waits for evaluation while the user is untrusted (contract 10.6)."""
    held = 0 if user.trusted or user.anonymous else amount // 2
    return (*hold_back(user, held, reason, note), *_get(user, balance, amount - held, MINT, reason, note))


def hold_back(user: User, amount: int, reason: str, note: str = "") -> tuple[Posting, ...]:
    """Earned, but only the user's once it is trusted."""
    return (Posting(MINT, EVALUATION, amount, reason, user.id, note),) if amount > 0 else ()


def trust(user: User, balance: int, evaluating: int) -> tuple[Posting, ...]:
    """What was held back is the user's from now on."""
    return _get(user, balance, evaluating, EVALUATION, "trust", "")


def _pay(user: User, balance: int, amount: int, target: int, reason: str, note: str) -> tuple[Posting, ...]:
    if amount <= 0:
        return ()
    return (Posting(user.id, target, amount, reason, user.id, note), *_lift(user, balance - amount))


def _get(user: User, balance: int, amount: int, source: int, reason: str, note: str) -> tuple[Posting, ...]:
    if amount <= 0:
        return ()
    return (Posting(source, user.id, amount, reason, user.id, note), *_lift(user, balance + amount))


def _lift(user: User, balance: int) -> tuple[Posting, ...]:
    """Any movement lifts a balance to its floor, that of a new account too (contract 10.5)."""
    missing = floor_of(user) - balance
    return (Posting(FLOOR, user.id, missing, "floor", user.id),) if missing > 0 else ()
