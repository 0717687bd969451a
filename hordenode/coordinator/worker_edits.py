"""Changes of workers by their owners and by moderators (contract 11)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator.changes import Committed
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import permissions
from hordenode.domain.entities import User, Worker
from hordenode.protocol.errors import HordeError, ValidationFailed
from hordenode.protocol.workers import WorkerDeleted, WorkerModified, WorkerModify
from hordenode.store import teams, workers
from hordenode.store.tx import Tx

NAME_LENGTH = 100
INFO_LENGTH = 1000
MESSAGE_LENGTH = 300
NO_TEAM = "None"
FIELDS = ("maintenance", "info", "paused", "name", "team")


async def edit_worker(co: Coordinator, caller: Caller, worker_id: str, change: WorkerModify) -> WorkerModified:
    """PUT /workers/{worker_id}: fields are changed in the contract's order up to the first that is refused."""
    answer, refused = await co.db.write(lambda tx: _edit(tx, co, caller, worker_id, change))
    if refused is not None:
        raise refused
    return WorkerModified(**answer)


def _edit(
    tx: Tx, co: Coordinator, caller: Caller, worker_id: str, change: WorkerModify
) -> tuple[dict[str, Any], HordeError | None]:
    editor, worker = _asked(tx, co, caller, worker_id)
    fields = [name for name in FIELDS if getattr(change, name) is not UNSET]
    if not fields:
        raise HordeError("NoWorkerModSelected")
    answer: dict[str, Any] = {}
    refused = None
    after = worker
    for name in fields:
        try:
            _check(editor, worker, name)
            after, answer[name] = _CHANGES[name](tx, co, after, change)
        except HordeError as error:  # what was changed before stays so
            refused = error
            break
    if after != worker:
        workers.save(tx, after)
        tx.emit(Committed(lambda: co.presence.update(after)))
    return answer, refused


def _asked(tx: Tx, co: Coordinator, caller: Caller, worker_id: str) -> tuple[User, Worker]:
    editor = co.authenticate(tx, caller)
    if editor.anonymous:
        raise HordeError("AnonForbiddenWorker")
    worker = workers.by_id(tx, worker_id)
    if worker is None:
        raise HordeError("WorkerNotFound", id=worker_id)
    return editor, worker


def _check(editor: User, worker: Worker, name: str) -> None:
    rc = permissions.worker_change_refused(editor, worker, name)
    if rc is not None:
        raise HordeError(rc)


def _maintenance(tx: Tx, co: Coordinator, worker: Worker, change: WorkerModify) -> tuple[Worker, bool]:
    """Each change of it sets the message, or takes it back. The owner that switches it off is trusted to mean it."""
    on = bool(change.maintenance)
    message = (change.maintenance_msg or None) if on else None
    if not on:
        workers.forgive_aborted(tx, worker.id)
    return replace(worker, maintenance=on, maintenance_message=message and message[:MESSAGE_LENGTH]), on


def _info(tx: Tx, co: Coordinator, worker: Worker, change: WorkerModify) -> tuple[Worker, str]:
    info = change.info or ""
    if len(info) > INFO_LENGTH:
        raise HordeError("TooLongWorkerName")
    co.rules.check_words(info, "ProfaneWorkerInfo")
    return replace(worker, info=info), info


def _paused(tx: Tx, co: Coordinator, worker: Worker, change: WorkerModify) -> tuple[Worker, bool]:
    return replace(worker, paused=bool(change.paused)), bool(change.paused)


def _name(tx: Tx, co: Coordinator, worker: Worker, change: WorkerModify) -> tuple[Worker, str]:
    name = clean_name(change.name or "")
    if not name:
        raise ValidationFailed({"name": "has no character that can be seen"})
    if len(name) > NAME_LENGTH:
        raise HordeError("TooLongWorkerName")
    co.rules.check_words(name, "ProfaneWorkerName")
    same = workers.by_name(tx, name)
    if same is not None and same.id != worker.id:
        raise HordeError("WorkerNameAlreadyExists", name=name)
    return replace(worker, name=name), name


def _team(tx: Tx, co: Coordinator, worker: Worker, change: WorkerModify) -> tuple[Worker, str]:
    if not change.team:
        return replace(worker, team_id=None), NO_TEAM
    team = teams.find(tx, change.team)
    if team is None:
        raise HordeError("TeamNotFound", id=change.team)
    return replace(worker, team_id=team.id), team.name


_CHANGES = {"maintenance": _maintenance, "info": _info, "paused": _paused, "name": _name, "team": _team}


def clean_name(name: str) -> str:
    """A worker's name as it is stored: printable, without space at the ends."""
    printable = name if name.isprintable() else "".join(filter(str.isprintable, name))
    return printable.strip()


async def delete_worker(co: Coordinator, caller: Caller, worker_id: str) -> WorkerDeleted:
    """DELETE /workers/{worker_id}: Locked while a stored job is its own, about 20 minutes after the last one."""

    def remove(tx: Tx) -> Worker:
        editor, worker = _asked(tx, co, caller, worker_id)
        if not permissions.may_manage(editor, worker.user_id):
            raise HordeError("NotModerator")
        if workers.is_referenced(tx, worker.id):
            raise HordeError("Locked")
        workers.delete(tx, worker.id)
        tx.emit(Committed(lambda: co.presence.drop(worker.id)))
        return worker

    worker = await co.db.write(remove)
    return WorkerDeleted(deleted_id=worker.id, deleted_name=worker.name)
