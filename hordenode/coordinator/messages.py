"""Messages to workers (contract 16)."""

from __future__ import annotations

from msgspec import UNSET

from hordenode.coordinator.changes import Committed
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import permissions
from hordenode.domain.entities import Message, User
from hordenode.domain.names import user_id_of
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.wire import INT64_MAX, rfc822
from hordenode.protocol.workers import WorkerMessageDetails, WorkerMessageInput, WorkerMessagesQuery
from hordenode.store import messages, workers
from hordenode.store.tx import Tx

MODERATORS = "AI Horde Moderators"
HOUR_MS = 3_600_000
LAST_PAGE = 10_000


async def send(co: Coordinator, caller: Caller, body: WorkerMessageInput) -> WorkerMessageDetails:
    """POST /workers/messages: to one of the caller's workers; by moderators to any, or to all."""

    def store(tx: Tx) -> Message:
        writer = co.authenticate(tx, caller)
        if writer.anonymous:
            raise HordeError("AnonForbidden")
        now = co.clock.now_ms()
        message = Message(
            id=co.ids.uuid(),
            worker_id=_addressee(tx, writer, body.worker_id or None),
            user_id=writer.id,
            message=body.message,
            origin=(body.origin or MODERATORS) if writer.moderator else writer.alias,
            created_ms=now,
            expires_ms=now + body.expiry * HOUR_MS,
        )
        messages.insert(tx, message)
        tx.emit(Committed(lambda: co.board.add(message)))
        return message

    return shown(await co.db.write(store))


def _addressee(tx: Tx, writer: User, worker_id: str | None) -> str | None:
    if worker_id is None:
        if not writer.moderator:
            raise HordeError("MessagesOnlyOwnWorkers")
        return None
    worker = workers.by_id(tx, worker_id)
    if worker is None:
        raise HordeError("WorkerNotFound", id=worker_id)
    if not permissions.may_manage(writer, worker.user_id):
        raise HordeError("MessagesOnlyOwnWorkers")
    return worker.id


async def find(co: Coordinator, message_id: str) -> WorkerMessageDetails:
    """GET /workers/messages/{message_id}."""
    return shown(await co.db.read(lambda tx: _found(tx, message_id)))


async def delete(co: Coordinator, caller: Caller, message_id: str) -> SimpleAnswer:
    """DELETE /workers/messages/{message_id}: by who wrote it, and moderators."""

    def remove(tx: Tx) -> None:
        editor = co.authenticate(tx, caller)
        message = _found(tx, message_id)
        if editor.anonymous or not permissions.may_manage(editor, message.user_id):
            raise HordeError("Forbidden", reason="Only who wrote a message, or a moderator, can delete it.")
        messages.delete(tx, message.id)
        tx.emit(Committed(lambda: co.board.remove(message)))

    await co.db.write(remove)
    return SimpleAnswer()


async def list_messages(co: Coordinator, caller: Caller, query: WorkerMessagesQuery) -> list[WorkerMessageDetails]:
    """GET /workers/messages: moderators see all; others their own, those to their workers and those to all."""
    writer_id = None if query.user_id is UNSET else user_id_of(query.user_id)
    if query.user_id is not UNSET and writer_id is None:
        raise HordeError("BadRequest", reason=f"'{query.user_id}' is not the id of a user.")

    def read(tx: Tx) -> list[Message]:
        viewer = co.authenticate(tx, caller)
        _check_view(tx, viewer, writer_id, query.worker_id or None)
        now = co.clock.now_ms()
        return messages.page(
            tx,
            max(1, query.page),
            after_ms=now if query.validity == "active" else 0,
            until_ms=now if query.validity == "expired" else INT64_MAX,
            reader=None if viewer.moderator else viewer.id,
            user_id=writer_id,
            worker_id=query.worker_id or None,
        )

    if query.page > LAST_PAGE:
        await co.db.read(lambda tx: co.authenticate(tx, caller))
        return []
    return [shown(message) for message in await co.db.read(read)]


def _check_view(tx: Tx, viewer: User, writer_id: int | None, worker_id: str | None) -> None:
    """Others than moderators may ask for what is theirs ([FIX] contract 16: their own id too)."""
    if viewer.moderator:
        return
    if writer_id not in (None, viewer.id):
        raise HordeError("Forbidden", reason="Only moderators can list the messages of other users.")
    worker = None if worker_id is None else workers.by_id(tx, worker_id)
    if worker is not None and worker.user_id != viewer.id:
        raise HordeError("Forbidden", reason="Only moderators can list the messages to other users' workers.")


def _found(tx: Tx, message_id: str) -> Message:
    message = messages.find(tx, message_id)
    if message is None:
        raise HordeError("WorkermessageNotFound", id=message_id)
    return message


def shown(message: Message) -> WorkerMessageDetails:
    """A message as the API shows it."""
    return WorkerMessageDetails(
        id=message.id,
        worker_id=message.worker_id or UNSET,
        user_id=str(message.user_id),
        message=message.message,
        origin=message.origin,
        expiry=rfc822(message.expires_ms),
        created=rfc822(message.created_ms),
    )
