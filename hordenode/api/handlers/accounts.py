"""Registration, invitations, and the keys of an account: what v2 has no operations for."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import keys, registration
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.keys import Account, InvitationMade, KeyDetails, KeyMade, NewAccount, NewInvitation, NewKey


async def register(call: Call, body: NewAccount) -> Account:
    return await registration.register(horde(call), caller_of(call), body)


async def invite(call: Call, body: NewInvitation) -> InvitationMade:
    return await registration.invite(horde(call), caller_of(call), body)


async def list_keys(call: Call, _: None) -> list[KeyDetails]:
    return await keys.list_keys(horde(call), caller_of(call))


async def create_key(call: Call, body: NewKey) -> KeyMade:
    return await keys.create_key(horde(call), caller_of(call), body)


async def revoke_key(call: Call, _: None) -> SimpleAnswer:
    return await keys.revoke_key(horde(call), caller_of(call), call.path_params["name"])
