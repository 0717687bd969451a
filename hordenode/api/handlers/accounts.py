"""Registration, invitations, joining, and the keys of an account: what v2 has no operations for."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import invitations, joining, keys, registration
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.joining import InvitationDetails, InvitationMade, Joined, NewInvitation, NewJoin
from hordenode.protocol.keys import Account, KeyDetails, KeyMade, NewAccount, NewKey


async def register(call: Call, body: NewAccount) -> Account:
    return await registration.register(horde(call), caller_of(call), body)


async def invite(call: Call, body: NewInvitation) -> InvitationMade:
    return await invitations.invite(horde(call), caller_of(call), body)


async def list_invitations(call: Call, _: None) -> list[InvitationDetails]:
    return await invitations.list_invitations(horde(call), caller_of(call))


async def revoke_invitation(call: Call, _: None) -> SimpleAnswer:
    return await invitations.revoke(horde(call), caller_of(call), call.path_params["id"])


async def join(call: Call, body: NewJoin) -> Joined:
    return await joining.join(horde(call), caller_of(call), body)


async def list_keys(call: Call, _: None) -> list[KeyDetails]:
    return await keys.list_keys(horde(call), caller_of(call))


async def create_key(call: Call, body: NewKey) -> KeyMade:
    return await keys.create_key(horde(call), caller_of(call), body)


async def revoke_key(call: Call, _: None) -> SimpleAnswer:
    return await keys.revoke_key(horde(call), caller_of(call), call.path_params["name"])
