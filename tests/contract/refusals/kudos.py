"""Refused transfers and awards."""

from __future__ import annotations

from typing import Any

from hordenode.store import suspicions
from tests.contract.refusals.case import Case, Prepare
from tests.support.people import People

TRANSFER, AWARD = "POST /kudos/transfer", "POST /kudos/award"
TO_OTHER: dict[str, Any] = {"username": "other#{other_id}", "amount": 10}
ONCE = {"Idempotency-Key": "once"}


def suspicious(who: str) -> Prepare:
    async def prepare(people: People) -> None:
        for _ in range(5):
            await people.horde.co.db.write(
                lambda tx: suspicions.add(tx, people.cast.ids[who], None, "too fast", 0, again=True)
            )

    return prepare


async def sent_before(people: People) -> None:
    body = {"username": f"other#{people.cast.ids['other']}", "amount": 1}
    key = people.cast.keys["registered"]
    assert (await people.horde.call("POST", "/kudos/transfer", body, key=key, headers=ONCE)).status_code == 200


async def got_some_just_now(people: People) -> None:
    await people.ok("other", "POST", "/kudos/transfer", {"username": f"x#{people.cast.ids['registered']}", "amount": 1})


async def key_is_over(people: People) -> None:
    await people.ok("registered", "PATCH", people.path("/sharedkeys/{sharedkey_id}"), {"expiry": 1})
    people.horde.clock.advance(86_401)


CASES = [
    Case(TRANSFER, "InvalidAPIKey", "nobody", TO_OTHER),
    Case(TRANSFER, "KudosTransferFromAnon", "anonymous", TO_OTHER),
    Case(TRANSFER, "InvalidTargetUsername", "registered", TO_OTHER | {"username": "nobody#999"}),
    Case(TRANSFER, "SharedKeyExpired", "other", TO_OTHER | {"username": "{sharedkey_id}"}, prepare=key_is_over),
    Case(TRANSFER, "KudosTransferToAnon", "registered", TO_OTHER | {"username": "Anonymous#0"}),
    Case(TRANSFER, "KudosTransferToSelf", "registered", TO_OTHER | {"username": "me#{user_id}"}),
    Case(TRANSFER, "TooFastKudosTransfers", "registered", TO_OTHER, prepare=got_some_just_now),
    Case(TRANSFER, "FaultWhenKudosSending", "registered", TO_OTHER, prepare=suspicious("registered")),
    Case(TRANSFER, "SourceAccountFlagged", "flagged", TO_OTHER),
    Case(TRANSFER, "EducationCannotSendKudos", "education", TO_OTHER),
    Case(TRANSFER, "FaultWhenKudosReceiving", "registered", TO_OTHER, prepare=suspicious("other")),
    Case(TRANSFER, "TargetAccountFlagged", "registered", TO_OTHER | {"username": "x#{flagged_id}"}),
    Case(TRANSFER, "DeletedUser", "registered", TO_OTHER | {"username": "x#{deleted_id}"}),
    Case(TRANSFER, "DeletedUser", "deleted", TO_OTHER),
    Case(TRANSFER, "NegativeKudosTransfer", "registered", TO_OTHER | {"amount": -1}),
    Case(TRANSFER, "InvalidKudosTransferAmount", "registered", TO_OTHER | {"amount": 0}),
    Case(TRANSFER, "KudosTransferNotEnough", "registered", TO_OTHER | {"amount": 976}),
    Case(TRANSFER, "IdempotencyKeyConflict", "registered", TO_OTHER, headers=ONCE, prepare=sent_before),
    Case(AWARD, "InvalidAPIKey", "nobody", TO_OTHER),
    Case(AWARD, "NotAllowedAwards", "moderator", TO_OTHER),
    Case(AWARD, "InvalidAwardUsername", "admin", TO_OTHER | {"username": "nobody#999"}),
    Case(AWARD, "KudosAwardToAnon", "admin", TO_OTHER | {"username": "Anonymous#0"}),
    Case(AWARD, "DeletedUser", "admin", TO_OTHER | {"username": "x#{deleted_id}"}),
]
