"""Accounts: how they are made, marked as deleted and wiped (contract 2.1, 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from hordenode.coordinator.changes import Committed
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.grants import give, take_everything
from hordenode.coordinator.removal import File, remove_files, remove_request
from hordenode.domain import permissions
from hordenode.domain.entities import DEFAULT_KEY, ApiKey, User
from hordenode.domain.names import user_id_of
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.store import alchemy, jobs, keys, requests, users, workers
from hordenode.store.tx import Tx

NAME_LENGTH = 30
WIPE_AFTER_MS = 30 * 86_400_000
USUAL_CONCURRENCY = 30


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an account starts with. `key`: its API key, else one is made. `kudos` in thousandths."""

    name: str
    kudos: int = 0
    concurrency: int = USUAL_CONCURRENCY
    trusted: bool = False
    moderator: bool = False
    admin: bool = False
    pseudonymous: bool = False
    worker_invited: int = 0
    contact: str | None = None
    key: str | None = None


def make_user(tx: Tx, co: Coordinator, new: NewUser, apikey: str) -> User:
    """Store a new user with its first key; BadRequest for an impossible name or number."""
    now = co.clock.now_ms()
    if not 0 <= new.concurrency <= 500:
        raise HordeError("BadRequest", reason="The concurrency must be between 0 and 500.")
    user = User(
        id=users.next_id(tx),
        name=clean_name(new.name),
        created_ms=now,
        active_ms=now,
        concurrency=new.concurrency,
        moderator=new.moderator,
        admin=new.admin,
        trusted=new.trusted or new.moderator,
        pseudonymous=new.pseudonymous,
        worker_invited=new.worker_invited,
        contact=new.contact,
    )
    users.insert(tx, user)
    keys.insert(tx, ApiKey(co.digest(apikey), user.id, now, DEFAULT_KEY, None))
    give(tx, user, new.kudos, "admin", now)
    return user


def clean_name(name: str) -> str:
    """A username as it is stored. BadRequest for one that is empty or contains a #, TooLongUserName for a long one."""
    clean = name.strip()
    if not clean or not clean.isprintable() or "#" in clean:
        raise HordeError("BadRequest", reason="A username needs at least one character, and no '#'.")
    if len(clean) > NAME_LENGTH:
        raise HordeError("TooLongUserName")
    return clean


def find_by_alias(tx: Tx, alias: str) -> User:
    """The user of `name#5` or `5`; UserNotFound for anything else."""
    user_id = user_id_of(alias)
    user = None if user_id is None else users.find(tx, user_id)
    if user is None:
        raise HordeError("UserNotFound", id=alias)
    return user


async def delete_user(co: Coordinator, caller: Caller, alias: str) -> SimpleAnswer:
    """DELETE /users/{user_id}: marks the account; a month after it was last used, a second time wipes it."""

    def delete(tx: Tx) -> list[File]:
        editor = co.authenticate(tx, caller)
        if editor.anonymous:
            raise HordeError("AnonForbiddenUser")
        user = find_by_alias(tx, alias)
        if not permissions.may_manage(editor, user.id):
            raise HordeError("NotUserOrMod")
        if user.moderator or user.anonymous:
            raise HordeError("CannotDeleteMod")
        if not user.deleted:
            users.save(tx, replace(user, deleted=True))
            return []
        last_ms = max(user.active_ms, co.activity.users.get(user.id, 0))
        if co.clock.now_ms() - last_ms < WIPE_AFTER_MS:
            raise HordeError("CannotWipeActiveUser")
        return wipe(tx, co, user)

    await remove_files(co, await co.db.write(delete))
    return SimpleAnswer()


def wipe(tx: Tx, co: Coordinator, user: User) -> list[File]:
    """Nothing but the ledger remembers the user, and its id is never given again. Returns files to remove."""
    files = [key for wp in requests.of_user(tx, user.id) for key in remove_request(tx, co, wp)]
    alchemy.delete_of_user(tx, user.id)
    for worker_id in workers.ids_of_user(tx, user.id):
        jobs.delete_of_worker(tx, worker_id)
        workers.delete(tx, worker_id)
    take_everything(tx, user, co.clock.now_ms())
    users.delete(tx, user.id)
    tx.emit(Committed(lambda: co.board.drop(user.id)))
    return files
