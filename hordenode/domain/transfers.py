"""Who may send kudos to whom (contract 10.8); the first rule that is broken answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hordenode.domain.entities import User
from hordenode.domain.receipts import number
from hordenode.protocol.errors import HordeError

SENT_BACK_MS = 60_000
SUSPICIOUS_FROM = 5  # suspicions


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer as it is asked for. Amounts in thousandths; `available` is what the source may spend.

    sent_back: the target sent something to the source within the last minute.
    """

    source: User
    target: User
    amount: int
    available: int
    sent_back: bool
    source_suspicions: int
    target_suspicions: int


def suspicious(user: User, suspicions: int) -> bool:
    """Trusted and anonymous users never are (contract 2.1)."""
    return suspicions >= SUSPICIOUS_FROM and not user.trusted and not user.anonymous


RULES: tuple[tuple[str, Callable[[Transfer], bool]], ...] = (
    ("KudosTransferToAnon", lambda t: t.target.anonymous),
    ("KudosTransferToSelf", lambda t: t.target.id == t.source.id),
    ("TooFastKudosTransfers", lambda t: t.sent_back),
    ("FaultWhenKudosSending", lambda t: suspicious(t.source, t.source_suspicions)),
    ("SourceAccountFlagged", lambda t: t.source.flagged),
    ("EducationCannotSendKudos", lambda t: t.source.education),
    ("FaultWhenKudosReceiving", lambda t: suspicious(t.target, t.target_suspicions)),
    ("TargetAccountFlagged", lambda t: t.target.flagged),
    ("DeletedUser", lambda t: t.target.deleted or t.source.deleted),
    ("NegativeKudosTransfer", lambda t: t.amount < 0),
    ("InvalidKudosTransferAmount", lambda t: t.amount == 0),
    ("KudosTransferNotEnough", lambda t: t.amount > t.available),
)


def check(transfer: Transfer) -> None:
    """Raises the HordeError of the first rule that is broken, with status 400."""
    for rc, broken in RULES:
        if broken(transfer):
            raise HordeError(
                rc, status=400, available=number(max(0, transfer.available)), amount=number(transfer.amount)
            )
