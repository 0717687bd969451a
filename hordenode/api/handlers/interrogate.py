"""Alchemy: async, status, cancel, pop, submit."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import alchemy, pops, submits
from hordenode.coordinator.waits import until_change
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import SubmitAnswer


async def submit(call: Call, body: AlchemyRequest) -> AlchemyAccepted:
    return await alchemy.submit(horde(call), caller_of(call), body)


async def status(call: Call, _: None) -> AlchemyStatus:
    co, alchemy_id = horde(call), call.path_params["id"]
    return await until_change(co, alchemy_id, call.query.wait, lambda: alchemy.status(co, alchemy_id, call.base_url))


async def cancel(call: Call, _: None) -> AlchemyStatus:
    return await alchemy.cancel(horde(call), call.path_params["id"], call.base_url)


async def pop(call: Call, body: AlchemyPop) -> AlchemyJob:
    return await pops.pop_alchemy(horde(call), caller_of(call), body, call.query.wait, call.query.pop)


async def submit_form(call: Call, body: AlchemySubmit) -> SubmitAnswer:
    return await submits.submit_form(horde(call), caller_of(call), body)
