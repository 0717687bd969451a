"""Shared keys."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import sharedkeys
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.sharedkeys import SharedKeyDetails, SharedKeyInput, SharedKeyPatch


async def create(call: Call, body: SharedKeyInput) -> SharedKeyDetails:
    return await sharedkeys.create(horde(call), caller_of(call), body)


async def find(call: Call, _: None) -> SharedKeyDetails:
    return await sharedkeys.find(horde(call), call.path_params["sharedkey_id"])


async def edit(call: Call, body: SharedKeyPatch) -> SharedKeyDetails:
    return await sharedkeys.edit(horde(call), caller_of(call), call.path_params["sharedkey_id"], body)


async def delete(call: Call, _: None) -> SimpleAnswer:
    return await sharedkeys.delete(horde(call), caller_of(call), call.path_params["sharedkey_id"])
