"""Webhooks."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import webhooks
from hordenode.protocol.webhooks import WebhookSecret


async def secret(call: Call, _: None) -> WebhookSecret:
    return await webhooks.secret(horde(call), caller_of(call))
