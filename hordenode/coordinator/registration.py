"""Registration: who may make an account, and with what (`server.registration`)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from msgspec import UNSET

from hordenode.coordinator import invitations
from hordenode.coordinator.accounts import NAME_LENGTH, NewUser, make_user
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import kudos
from hordenode.domain.entities import User
from hordenode.protocol.errors import HordeError
from hordenode.protocol.keys import Account, NewAccount
from hordenode.store import invitations as invitation_rows
from hordenode.store.tx import Tx

CLOSED, INVITE, OPEN = "closed", "invite", "open"
_OURS = ("kudos", "concurrency", "trusted", "moderator")


async def register(co: Coordinator, caller: Caller, body: NewAccount) -> Account:
    """A new account: made by a moderator for somebody, or by anybody as far as registration is open.

    Raises Forbidden when it is not, or the invitation is no good, 429 after too many of those; NotModerator, NotAdmin
    for what the caller may not give; the Profane* codes, TooLongUserName and BadRequest for the entered texts.
    """
    if len(body.username) > NAME_LENGTH:
        raise HordeError("TooLongUserName")
    co.rules.check_words(body.username, "ProfaneUserName")
    if body.contact is not UNSET:
        co.rules.check_words(body.contact, "ProfaneUserContact")
    apikey = co.ids.api_key()

    def store(tx: Tx) -> User:
        editor = None if caller.apikey is None and caller.user_id is None else co.authenticate(tx, caller)
        if editor is not None and editor.moderator:
            new = _appointed(editor, body)
        elif any(getattr(body, name) is not UNSET for name in _OURS):
            raise HordeError("NotModerator")
        else:
            new = _registered(tx, co, body)
        return make_user(tx, co, replace(new, contact=body.contact or None), apikey)

    with co.guesses.attempt(caller.address) if body.invitation else nullcontext():
        user = await co.db.write(store)
    return Account(username=user.alias, id=user.id, apikey=apikey)


def _appointed(editor: User, body: NewAccount) -> NewUser:
    """Accounts that the owner of a node makes are trusted unless it says otherwise (contract 10.6)."""
    if not editor.admin and (body.kudos is not UNSET or body.moderator is not UNSET):
        raise HordeError("NotAdmin")
    given = {name: value for name in ("concurrency", "moderator") if (value := getattr(body, name)) is not UNSET}
    return NewUser(
        body.username,
        kudos=0 if body.kudos is UNSET else kudos.milli(body.kudos),
        trusted=body.trusted is UNSET or body.trusted,
        **given,
    )


def _registered(tx: Tx, co: Coordinator, body: NewAccount) -> NewUser:
    """Somebody with an invitation is known to somebody; without one, the account is pseudonymous."""
    if body.invitation:
        if co.rules.registration == CLOSED:
            raise HordeError("Forbidden", reason=closed_reason(co))
        invitation = invitations.find(tx, co, body.invitation, worker=False)
        invitations.check_valid(co, invitation)
        invitation_rows.use(tx, invitation.digest)
        return NewUser(body.username, trusted=invitation.trusted)
    if co.rules.registration == OPEN:
        return NewUser(body.username, pseudonymous=True)
    raise HordeError("Forbidden", reason=closed_reason(co))


def closed_reason(co: Coordinator) -> str:
    """Why an account cannot be made without more."""
    if co.rules.registration == INVITE:
        return "This horde takes new users by invitation only. Ask a member for a code."
    return "Registration is closed. Ask the owner of this horde for an account."
