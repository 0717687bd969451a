"""Codes that let people register, or a machine join as a worker: made, listed, revoked, and read again.

What a code is good for is decided inside the transaction that uses it up, so that two who come at once with a code for
one cannot both get in.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import codes
from hordenode.domain.entities import Invitation, User
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.joining import InvitationDetails, InvitationMade, NewInvitation
from hordenode.protocol.wire import rfc822
from hordenode.store import invitations, keys, users
from hordenode.store.tx import Tx

DAY_MS = 86_400_000
PEOPLES_DAYS, WORKERS_DAYS = 30, 1


async def invite(co: Coordinator, caller: Caller, body: NewInvitation) -> InvitationMade:
    """A code with which `uses` people can register, or one machine joins. NotModerator; BadRequest for what makes no sense."""
    days = body.days if body.days is not UNSET else WORKERS_DAYS if body.worker else PEOPLES_DAYS
    if body.worker and (body.uses != 1 or days == 0):
        raise HordeError(
            "BadRequest", reason="A worker's code works once, and ends: it takes no `uses`, and some `days`."
        )
    code = codes.written(co.ids.code_bits())

    def store(tx: Tx) -> Invitation:
        host = _moderator(tx, co, caller)
        now = co.clock.now_ms()
        made = Invitation(
            digest=_digest(co, code),
            user_id=host.id,
            created_ms=now,
            expires_ms=now + days * DAY_MS if days else None,
            uses_left=body.uses,
            trusted=body.worker if body.trusted is UNSET else body.trusted,
            worker=body.worker,
        )
        invitations.insert(tx, made)
        return made

    made = await co.db.write(store)
    return InvitationMade(
        id=made.id,
        code=code,
        worker=made.worker,
        uses=made.uses_left,
        expires=_date(made.expires_ms),
        trusted=made.trusted,
    )


async def list_invitations(co: Coordinator, caller: Caller) -> list[InvitationDetails]:
    """All of them, the oldest first. NotModerator."""

    def read(tx: Tx) -> list[InvitationDetails]:
        _moderator(tx, co, caller)
        return [_details(tx, each, co.clock.now_ms()) for each in invitations.everyone(tx)]

    return await co.db.read(read)


async def revoke(co: Coordinator, caller: Caller, invitation_id: str) -> SimpleAnswer:
    """The code is worth nothing from now on; if a machine joined with it, its keys are not either.

    Raises NotModerator, BadRequest when there is no such invitation.
    """

    def delete(tx: Tx) -> None:
        _moderator(tx, co, caller)
        found = next((each for each in invitations.everyone(tx) if each.id == invitation_id), None)
        if found is None:
            raise HordeError("BadRequest", reason=f"There is no invitation '{invitation_id:.50}'.")
        machine = None if found.joined_id is None else users.find(tx, found.joined_id)
        if machine is not None:
            if machine.moderator:
                raise HordeError("CannotDeleteMod")
            keys.delete_all(tx, machine.id)
        invitations.delete(tx, found.digest)

    await co.db.write(delete)
    return SimpleAnswer()


def find(tx: Tx, co: Coordinator, code: str, *, worker: bool) -> Invitation:
    """The invitation behind a code, used or not. Forbidden for no code of ours, and one for something else."""
    found = invitations.find(tx, _digest(co, code))
    if found is None:
        raise HordeError("Forbidden", reason=f"This code is not known here: mistyped, or revoked. {_advice(worker)}")
    if found.worker != worker:
        purpose = "a machine to join as a worker, with `hordenode join`" if found.worker else "people, at /register"
        raise HordeError("Forbidden", reason=f"This code is for {purpose}. {_advice(worker)}")
    return found


def check_valid(co: Coordinator, found: Invitation, used_by: Callable[[], str] = lambda: "") -> None:
    """Forbidden when the code is used up or its time is over. used_by: more about its use."""
    if found.uses_left == 0:
        raise HordeError("Forbidden", reason=f"This code was used already{used_by()}. {_advice(found.worker)}")
    if found.expires_ms is not None and found.expires_ms <= co.clock.now_ms():
        raise HordeError("Forbidden", reason=f"This code has expired. {_advice(found.worker)}")


def _advice(worker: bool) -> str:
    if worker:
        return "`hordenode invite --worker` on the node makes another one."
    return "Ask a member for another one."


def _digest(co: Coordinator, code: str) -> bytes:
    return co.digest(codes.plain(code))


def _moderator(tx: Tx, co: Coordinator, caller: Caller) -> User:
    user = co.authenticate(tx, caller)
    if not user.moderator:
        raise HordeError("NotModerator")
    return user


def _details(tx: Tx, invitation: Invitation, now_ms: int) -> InvitationDetails:
    over = invitation.expires_ms is not None and invitation.expires_ms <= now_ms
    machine = None if invitation.joined_id is None else users.find(tx, invitation.joined_id)
    return InvitationDetails(
        id=invitation.id,
        worker=invitation.worker,
        state="used" if invitation.uses_left == 0 else "expired" if over else "open",
        uses=invitation.uses_left,
        created=rfc822(invitation.created_ms),
        expires=_date(invitation.expires_ms),
        trusted=invitation.trusted,
        joined=None if machine is None else machine.alias,
    )


def _date(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc822(at_ms)
