"""Messages to workers."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import messages
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.workers import WorkerMessageDetails, WorkerMessageInput


async def list_messages(call: Call, _: None) -> list[WorkerMessageDetails]:
    return await messages.list_messages(horde(call), caller_of(call), call.query)


async def send(call: Call, body: WorkerMessageInput) -> WorkerMessageDetails:
    return await messages.send(horde(call), caller_of(call), body)


async def find(call: Call, _: None) -> WorkerMessageDetails:
    return await messages.find(horde(call), call.path_params["message_id"])


async def delete(call: Call, _: None) -> SimpleAnswer:
    return await messages.delete(horde(call), caller_of(call), call.path_params["message_id"])
