"""Kudos: transfer, award, ledger page."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import kudos
from hordenode.protocol.kudos import KudosAwarded, KudosRequest, KudosTransferred, LedgerPage


async def transfer(call: Call, body: KudosRequest) -> KudosTransferred:
    return await kudos.transfer(horde(call), caller_of(call), body, call.header("idempotency-key"))


async def award(call: Call, body: KudosRequest) -> KudosAwarded:
    return await kudos.award(horde(call), caller_of(call), body)


async def page(call: Call, _: None) -> LedgerPage:
    return await kudos.page(horde(call), caller_of(call), call.query)
