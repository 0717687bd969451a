"""Transfers, awards and the ledger page (behaviour.md 10.8, 10.9)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hordenode.protocol.wire import INT64_MAX, Answer, Int64, Request, rule, whole_number

# Fractions are cut (behaviour.md 10.8), so a number that is no integer is no violation.
WholeAmount = Annotated[int | float, rule(whole_number)]


class KudosRequest(Request, frozen=True, kw_only=True):
    """POST kudos/transfer and kudos/award. username: an alias; for a transfer also the id of a shared key."""

    username: str
    amount: WholeAmount = 100

    def __post_init__(self) -> None:
        whole_number(self.amount)


class KudosTransferred(Answer, frozen=True, kw_only=True):
    """What the target got."""

    transferred: float


class KudosAwarded(Answer, frozen=True, kw_only=True):
    """What the target got."""

    awarded: float


class LedgerQuery(Request, frozen=True, kw_only=True):
    """Query of the ledger page. user_id: somebody else's, for moderators. before: `next` of the page before."""

    user_id: Annotated[int, Meta(ge=-1, le=2**31 - 1)] = -1
    before: Int64 = INT64_MAX
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class LedgerLine(Answer, frozen=True, kw_only=True):
    """One movement. at: RFC 822. amount: what it changed of the balance. held: what of it waits for trust.

    balance: what it left. what: the reason in words; how: how the amount came about.
    """

    id: int
    at: str
    amount: float
    held: float
    balance: float
    what: str
    how: str
    request: str | None
    job: str | None


class LedgerPage(Answer, frozen=True, kw_only=True):
    """A user's ledger, newest line first. next: `before` of the following page, null on the last one."""

    username: str
    kudos: float
    held: float
    lines: tuple[LedgerLine, ...]
    next: int | None
