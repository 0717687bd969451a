"""The horde in a data directory for the command line: as its owner, without its node, safe beside a running one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from msgspec import to_builtins

from hordenode.catalog import load_catalog
from hordenode.config import Settings
from hordenode.coordinator import invitations, joining, keys, user_edits, users
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.line import Line
from hordenode.domain.entities import OWNER_ID, User
from hordenode.domain.names import user_id_of
from hordenode.opening import OWNER_KEY_FILE, ensure_owner, open_coordinator, prepare_data_dir
from hordenode.protocol.decode import decode
from hordenode.protocol.errors import HordeError
from hordenode.protocol.joining import InvitationDetails, InvitationMade, NewInvitation
from hordenode.protocol.keys import KeyDetails, NewKey
from hordenode.protocol.users import UserListItem, UserModify, UsersQuery
from hordenode.protocol.wire import Request
from hordenode.store import users as user_rows
from hordenode.store.tx import Tx

R = TypeVar("R", bound=Request)

OWNER = Caller(user_id=OWNER_ID)


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[Admin]:
    """The database of a data directory, made when there is none."""
    prepare_data_dir(settings.data_dir)
    catalog = load_catalog(settings.data_dir)
    coordinator = await open_coordinator(settings, catalog, Line(), lambda event: None, lambda job_id: None)
    try:
        await ensure_owner(coordinator, settings.data_dir / OWNER_KEY_FILE)
        yield Admin(coordinator)
    finally:
        await coordinator.close()


class Admin:
    """What the command line does to a horde. `who`: name#id, id, or a name that only one user has."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._co = coordinator

    async def create_user(
        self, name: str, kudos: float = 0.0, trusted: bool = True, moderator: bool = False, concurrency: int = 30
    ) -> tuple[str, str]:
        """A new account: (alias, API key)."""
        user, key = await users.create_user(
            self._co, name, kudos_amount=kudos, trusted=trusted, moderator=moderator, concurrency=concurrency
        )
        return user.alias, key

    async def list_users(self, page: int, sort: str) -> list[UserListItem]:
        return await users.list_users(self._co, UsersQuery(page=page, sort=sort))

    async def show_user(self, who: str) -> dict[str, Any]:
        """The account as moderators see it, by field."""
        user = await self._find(who)
        shown: dict[str, Any] = to_builtins(await users.user_by_alias(self._co, OWNER, str(user.id)))
        return shown

    async def edit_user(self, who: str, changes: dict[str, Any]) -> dict[str, Any]:
        """`changes`: fields of protocol.users.UserModify. Returns what was changed."""
        user = await self._find(who)
        change = _checked(UserModify, changes)
        edited: dict[str, Any] = to_builtins(await user_edits.edit_user(self._co, OWNER, str(user.id), change))
        return edited

    async def create_key(self, who: str, name: str, *, rotate: bool = False) -> tuple[str, str]:
        """A further key: (alias of the user, key)."""
        user = await self._find(who)
        made = await keys.create_key(
            self._co, Caller(user_id=user.id), _checked(NewKey, {"name": name, "rotate": rotate})
        )
        return user.alias, made.apikey

    async def list_keys(self, who: str) -> list[KeyDetails]:
        return await keys.list_keys(self._co, Caller(user_id=(await self._find(who)).id))

    async def revoke_key(self, who: str, name: str) -> None:
        await keys.revoke_key(self._co, Caller(user_id=(await self._find(who)).id), name)

    async def invite(self, **fields: Any) -> InvitationMade:
        """A code to register or join with. `fields`: those of protocol.joining.NewInvitation."""
        return await invitations.invite(self._co, OWNER, _checked(NewInvitation, fields))

    async def list_invitations(self) -> list[InvitationDetails]:
        return await invitations.list_invitations(self._co, OWNER)

    async def revoke_invitation(self, invitation_id: str) -> None:
        await invitations.revoke(self._co, OWNER, invitation_id)

    async def add_worker(self, name: str) -> tuple[str, str]:
        """An account for a worker of another program: (alias, API key). The alias has a number where the name is taken."""
        key = self._co.ids.api_key()
        user = await self._co.db.write(lambda tx: joining.make_worker_account(tx, self._co, name, key, trusted=True))
        return user.alias, key

    async def _find(self, who: str) -> User:
        return await self._co.db.read(lambda tx: _user(tx, who))


def _checked(kind: type[R], fields: dict[str, Any]) -> R:
    """The fields as a request over HTTP would be taken; ValidationFailed with what is wrong."""
    return decode(kind, msgspec.json.encode(fields))


def _user(tx: Tx, who: str) -> User:
    user_id = user_id_of(who)
    user = None if user_id is None else user_rows.find(tx, user_id)
    if user is not None:
        return user
    same = user_rows.by_name(tx, who)
    if len(same) > 1:
        names = ", ".join(each.alias for each in same)
        raise HordeError("BadRequest", reason=f"Several users have the name '{who}': {names}. Say which.")
    if not same:
        raise HordeError("UserNotFound", id=who)
    return same[0]
