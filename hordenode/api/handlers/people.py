"""Users and workers."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import users, workers
from hordenode.protocol.users import UserDetails
from hordenode.protocol.workers import WorkerDetails


async def find_user(call: Call, _: None) -> UserDetails:
    return await users.find_user(horde(call), caller_of(call))


async def list_workers(call: Call, _: None) -> list[WorkerDetails]:
    return await workers.list_workers(horde(call), caller_of(call), call.query.type or None, call.query.name or None)


async def worker(call: Call, _: None) -> WorkerDetails:
    return await workers.worker_by_id(horde(call), caller_of(call), call.path_params["worker_id"])


async def worker_by_name(call: Call, _: None) -> WorkerDetails:
    return await workers.worker_by_name(horde(call), caller_of(call), call.path_params["worker_name"])
