"""API keys of a user: several with a name each, so that one can be replaced without the others (contract 2.1)."""

from __future__ import annotations

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain.entities import ApiKey, User
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.keys import KeyDetails, KeyMade, NewKey
from hordenode.protocol.wire import rfc822
from hordenode.store import keys
from hordenode.store.tx import Tx

MOST_KEYS = 50


async def create_key(co: Coordinator, caller: Caller, body: NewKey) -> KeyMade:
    """A further key, or with `rotate` a new one in the place of that of the same name, which stops working at once.

    Raises AnonForbidden; BadRequest for a name that is taken, or with `rotate` is not, and above 50 keys.
    """
    apikey = co.ids.api_key()

    def store(tx: Tx) -> None:
        user = _owner(tx, co, caller)
        if body.rotate:
            _drop(tx, user, body.name)
        known = keys.of_user(tx, user.id)
        if any(key.name == body.name for key in known):
            raise HordeError(
                "BadRequest", reason=f"There is already a key named '{body.name}'. Rotate it, or choose another name."
            )
        if len(known) >= MOST_KEYS:
            raise HordeError("BadRequest", reason=f"A user can have at most {MOST_KEYS} keys. Revoke one first.")
        keys.insert(tx, ApiKey(co.digest(apikey), user.id, co.clock.now_ms(), body.name, None))

    await co.db.write(store)
    return KeyMade(name=body.name, apikey=apikey)


async def list_keys(co: Coordinator, caller: Caller) -> list[KeyDetails]:
    """The caller's keys, oldest first."""

    def read(tx: Tx) -> list[ApiKey]:
        return keys.of_user(tx, _owner(tx, co, caller).id)

    return [_details(co, key) for key in await co.db.read(read)]


async def revoke_key(co: Coordinator, caller: Caller, name: str) -> SimpleAnswer:
    """The key of this name stops working. BadRequest when there is none, or it is the last one."""

    def delete(tx: Tx) -> None:
        user = _owner(tx, co, caller)
        _drop(tx, user, name)
        if not keys.of_user(tx, user.id):
            raise HordeError(
                "BadRequest", reason="This is the only key of the account. Make another one first, or rotate it."
            )

    await co.db.write(delete)
    return SimpleAnswer()


def _owner(tx: Tx, co: Coordinator, caller: Caller) -> User:
    user = co.authenticate(tx, caller)
    if user.anonymous:
        raise HordeError("AnonForbidden")
    return user


def _drop(tx: Tx, user: User, name: str) -> None:
    if not keys.delete(tx, user.id, name):
        raise HordeError("BadRequest", reason=f"There is no key named '{name}'.")


def _details(co: Coordinator, key: ApiKey) -> KeyDetails:
    used = max(key.used_ms or 0, co.activity.keys.get(key.digest, 0))
    return KeyDetails(name=key.name, created=rfc822(key.created_ms), last_used=rfc822(used) if used else None)
