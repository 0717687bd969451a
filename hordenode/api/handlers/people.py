"""Users and workers."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import accounts, user_edits, users, worker_edits, workers
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.users import UserDetails, UserListItem, UserModified, UserModify
from hordenode.protocol.workers import WorkerDeleted, WorkerDetails, WorkerModified, WorkerModify


async def find_user(call: Call, _: None) -> UserDetails:
    return await users.find_user(horde(call), caller_of(call))


async def list_users(call: Call, _: None) -> list[UserListItem]:
    return await users.list_users(horde(call), call.query)


async def user(call: Call, _: None) -> UserDetails:
    return await users.user_by_alias(horde(call), caller_of(call), call.path_params["user_id"])


async def edit_user(call: Call, body: UserModify) -> UserModified:
    return await user_edits.edit_user(horde(call), caller_of(call), call.path_params["user_id"], body)


async def delete_user(call: Call, _: None) -> SimpleAnswer:
    return await accounts.delete_user(horde(call), caller_of(call), call.path_params["user_id"])


async def list_workers(call: Call, _: None) -> list[WorkerDetails]:
    return await workers.list_workers(horde(call), caller_of(call), call.query.type or None, call.query.name or None)


async def worker(call: Call, _: None) -> WorkerDetails:
    return await workers.worker_by_id(horde(call), caller_of(call), call.path_params["worker_id"])


async def worker_by_name(call: Call, _: None) -> WorkerDetails:
    return await workers.worker_by_name(horde(call), caller_of(call), call.path_params["worker_name"])


async def edit_worker(call: Call, body: WorkerModify) -> WorkerModified:
    return await worker_edits.edit_worker(horde(call), caller_of(call), call.path_params["worker_id"], body)


async def delete_worker(call: Call, _: None) -> WorkerDeleted:
    return await worker_edits.delete_worker(horde(call), caller_of(call), call.path_params["worker_id"])
