"""Changes of users: field by field, each with its own right (contract 2.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator.accounts import NAME_LENGTH, clean_name, find_by_alias
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.grants import give, make_trusted
from hordenode.domain import kudos, permissions
from hordenode.domain.entities import User
from hordenode.protocol.errors import HordeError
from hordenode.protocol.users import UserModified, UserModify
from hordenode.store import ledger, suspicions, users
from hordenode.store.tx import Tx

EDUCATION_CONCURRENCY, USUAL_CONCURRENCY = 200, 30


async def edit_user(co: Coordinator, caller: Caller, alias: str, change: UserModify) -> UserModified:
    """PUT /users/{user_id}: fields are changed in the contract's order up to the first that is refused."""
    edit, refused = await co.db.write(lambda tx: _edit(tx, co, caller, alias, change))
    if refused is not None:
        raise refused
    return UserModified(**edit.answer)


def _edit(tx: Tx, co: Coordinator, caller: Caller, alias: str, change: UserModify) -> tuple[_Edit, HordeError | None]:
    editor = co.authenticate(tx, caller)
    if editor.anonymous:
        raise HordeError("AnonForbiddenUserMod")
    edit = _Edit(tx, co, editor, find_by_alias(tx, alias), change)
    fields = [name for name in permissions.USER_FIELDS if getattr(change, name) is not UNSET]
    if not fields:
        raise HordeError("NoUserModSelected")
    before = edit.user
    refused = None
    for name in fields:
        try:
            edit.change(name)
        except HordeError as error:  # what was changed before stays so
            refused = error
            break
    if edit.user != before:
        users.save(tx, edit.user)
    return edit, refused


class _Edit:
    """One user in the making, and what its editor is answered."""

    def __init__(self, tx: Tx, co: Coordinator, editor: User, user: User, change: UserModify) -> None:
        self.tx = tx
        self.co = co
        self.editor = editor
        self.user = user
        self.asked = change
        self.answer: dict[str, Any] = {}

    def change(self, name: str) -> None:
        """Change one field, or raise why not."""
        rc = permissions.user_change_refused(self.editor, self.user, name)
        if rc is not None:
            raise HordeError(rc)
        value = getattr(self.asked, name)
        special = _SPECIAL.get(name)
        if special is not None:
            special(self, value)
        else:
            self.set(**{name: value})

    def set(self, **fields: Any) -> None:
        """Change fields that the answer repeats as they are."""
        self.user = replace(self.user, **fields)
        self.answer.update(fields)


def _kudos(edit: _Edit, value: float) -> None:
    give(edit.tx, edit.user, kudos.milli(value), "admin", edit.co.clock.now_ms(), by=edit.editor)
    edit.answer["new_kudos"] = kudos.kudos(ledger.balance(edit.tx, edit.user.id))


def _monthly_kudos(edit: _Edit, value: int) -> None:
    """A raise is paid at once, as the first of the months."""
    now = edit.co.clock.now_ms()
    known = users.private(edit.tx, edit.user.id)
    amount = max(0, known.monthly_kudos + kudos.milli(value))
    paid_ms = now if value > 0 else known.monthly_paid_ms
    users.save_private(edit.tx, replace(known, monthly_kudos=amount, monthly_paid_ms=paid_ms))
    if value > 0:
        give(edit.tx, edit.user, kudos.milli(value), "recurring", now, by=edit.editor)
    edit.answer["monthly_kudos"] = amount // 1000


def _usage_multiplier(edit: _Edit, value: float) -> None:
    edit.user = replace(edit.user, usage_multiplier=round(value * 1000))
    edit.answer["usage_multiplier"] = value


def _moderator(edit: _Edit, value: bool) -> None:
    edit.set(moderator=value)
    if value:
        _trusted(edit, True)


def _trusted(edit: _Edit, value: bool) -> None:
    if value:
        make_trusted(edit.tx, edit.user, edit.co.clock.now_ms())
    edit.set(trusted=value)


def _education(edit: _Edit, value: bool) -> None:
    """The role brings a class's concurrency, unless the same change sets one."""
    edit.set(education=value)
    if edit.asked.concurrency is not UNSET:
        return
    if value:
        edit.user = replace(edit.user, concurrency=max(edit.user.concurrency, EDUCATION_CONCURRENCY))
    elif edit.user.concurrency == EDUCATION_CONCURRENCY:
        edit.user = replace(edit.user, concurrency=USUAL_CONCURRENCY)


def _reset_suspicion(edit: _Edit, value: bool) -> None:
    if value:
        suspicions.reset(edit.tx, edit.user.id)
    edit.answer["new_suspicion"] = suspicions.of_user(edit.tx, edit.user.id)


def _admin_comment(edit: _Edit, value: str) -> None:
    edit.co.rules.check_words(value, "ProfaneAdminComment")
    users.save_private(edit.tx, replace(users.private(edit.tx, edit.user.id), admin_comment=value))
    edit.answer["admin_comment"] = value


def _username(edit: _Edit, value: str) -> None:
    if len(value) > NAME_LENGTH:
        raise HordeError("TooLongUserName")
    edit.co.rules.check_words(value, "ProfaneUserName")
    edit.user = replace(edit.user, name=clean_name(value))
    edit.answer["username"] = edit.user.name


def _contact(edit: _Edit, value: str) -> None:
    edit.co.rules.check_words(value, "ProfaneUserContact")
    edit.set(contact=value)


def _undelete(edit: _Edit, value: bool) -> None:
    if not value:
        return
    if not edit.user.deleted:
        raise HordeError("UserNotDeleted")
    edit.user = replace(edit.user, deleted=False)
    edit.answer["undeleted"] = True


def _proxy_passkey(edit: _Edit, value: bool) -> None:
    if not value:
        return
    passkey = edit.co.ids.api_key()
    users.save_private(edit.tx, replace(users.private(edit.tx, edit.user.id), proxy_passkey=passkey))
    edit.answer["proxy_passkey"] = passkey


_SPECIAL: dict[str, Callable[[_Edit, Any], None]] = {
    "kudos": _kudos,
    "monthly_kudos": _monthly_kudos,
    "usage_multiplier": _usage_multiplier,
    "moderator": _moderator,
    "trusted": _trusted,
    "education": _education,
    "reset_suspicion": _reset_suspicion,
    "admin_comment": _admin_comment,
    "username": _username,
    "contact": _contact,
    "undelete": _undelete,
    permissions.PASSKEY_FIELD: _proxy_passkey,
}
