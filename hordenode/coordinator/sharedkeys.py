"""Shared keys: what their owners make of them, and what they may be used for (contract 14)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.removal import File, remove_files, remove_request
from hordenode.coordinator.statistics import count_deliveries
from hordenode.domain.entities import SharedKey, User
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.sharedkeys import SharedKeyDetails, SharedKeyInput, SharedKeyModels, SharedKeyPatch
from hordenode.protocol.wire import rfc822
from hordenode.store import requests, sharedkeys, users
from hordenode.store.tx import Tx

DAY_MS = 86_400_000
LONGEST_DAYS = 36_500
_LIMITS = ("max_image_pixels", "max_image_steps", "max_text_tokens")


async def create(co: Coordinator, caller: Caller, body: SharedKeyInput) -> SharedKeyDetails:
    """PUT /sharedkeys: at most 3 per user, 10 when trusted, 1000 for education."""

    def store(tx: Tx) -> SharedKeyDetails:
        owner = co.authenticate(tx, caller)
        if owner.anonymous:
            raise HordeError("AnonForbidden")
        most = most_keys(owner)
        if len(sharedkeys.ids_of_user(tx, owner.id)) >= most:
            raise HordeError("Forbidden", reason=f"You can have at most {most} shared keys. Delete one first.")
        now = co.clock.now_ms()
        key = SharedKey(
            id=co.ids.uuid(),
            user_id=owner.id,
            name=body.name or None,
            created_ms=now,
            expires_ms=_expiry(body.expiry, now),
            budget=_budget(body.kudos),
            models=_models(body),
            **{name: getattr(body, name) for name in _LIMITS},
        )
        sharedkeys.insert(tx, key)
        return details(key, owner)

    return await co.db.write(store)


def most_keys(owner: User) -> int:
    """How many shared keys a user may have."""
    if owner.trusted:
        return 10
    return 1000 if owner.education else 3


async def find(co: Coordinator, key_id: str) -> SharedKeyDetails:
    """GET /sharedkeys/{sharedkey_id}: for whoever knows it."""

    def read(tx: Tx) -> SharedKeyDetails:
        key = _found(tx, key_id)
        owner = users.find(tx, key.user_id)
        if owner is None:
            raise HordeError("InvalidAPIKey")
        return details(key, owner)

    return await co.db.read(read)


async def edit(co: Coordinator, caller: Caller, key_id: str, body: SharedKeyPatch) -> SharedKeyDetails:
    """PATCH /sharedkeys/{sharedkey_id}: what is absent stays as it is."""

    def store(tx: Tx) -> SharedKeyDetails:
        owner, key = _own(tx, co, caller, key_id)
        changes = {name: value for name in (*_LIMITS, "name") if (value := getattr(body, name)) is not UNSET}
        if body.expiry is not UNSET:
            changes["expires_ms"] = _expiry(body.expiry, co.clock.now_ms())
        if body.kudos is not UNSET:
            changes["budget"] = _budget(body.kudos)
        if body.hordenode is not UNSET:
            changes["models"] = _models(body)
        if not changes:
            raise HordeError("NoSharedKeyModSelected")
        changed = replace(key, **changes)
        sharedkeys.update(tx, changed)
        return details(changed, owner)

    return await co.db.write(store)


async def delete(co: Coordinator, caller: Caller, key_id: str) -> SimpleAnswer:
    """DELETE /sharedkeys/{sharedkey_id}: with the stored requests that were made with it, results included."""

    def remove(tx: Tx) -> list[File]:
        _, key = _own(tx, co, caller, key_id)
        files = [name for wp in requests.of_shared_key(tx, key.id) for name in remove_request(tx, co, wp)]
        sharedkeys.delete(tx, key.id)
        return files

    await count_deliveries(co)  # what is deleted cannot be counted any more
    await remove_files(co, await co.db.write(remove))
    return SimpleAnswer()


def _own(tx: Tx, co: Coordinator, caller: Caller, key_id: str) -> tuple[User, SharedKey]:
    owner = co.authenticate(tx, caller)
    key = _found(tx, key_id)
    if key.user_id != owner.id:
        raise HordeError("Forbidden", reason="Only its owner can change or delete a shared key.")
    return owner, key


def _found(tx: Tx, key_id: str) -> SharedKey:
    key = sharedkeys.find(tx, key_id)
    if key is None:
        raise HordeError("InvalidAPIKey", "There is no shared key with this id.")
    return key


def _expiry(days: int, now_ms: int) -> int | None:
    """-1 never expires; nor does 0 ([FIX] contract 14)."""
    return now_ms + min(days, LONGEST_DAYS) * DAY_MS if days > 0 else None


def _budget(amount: int) -> int | None:
    return None if amount < 0 else amount * 1000


def _models(body: SharedKeyInput | SharedKeyPatch) -> str:
    given = () if body.hordenode is UNSET else body.hordenode.models
    return msgspec.json.encode(tuple(dict.fromkeys(given))).decode()


def models_of(key: SharedKey) -> tuple[str, ...]:
    """The models that the key may ask for, empty for any."""
    return msgspec.json.decode(key.models, type=tuple[str, ...])


def details(key: SharedKey, owner: User) -> SharedKeyDetails:
    models = models_of(key)
    return SharedKeyDetails(
        id=key.id,
        username=owner.alias,
        name=key.name or UNSET,
        kudos=-1 if key.budget is None else key.budget // 1000,
        expiry=UNSET if key.expires_ms is None else rfc822(key.expires_ms),
        utilized=key.utilized // 1000,
        max_image_pixels=key.max_image_pixels,
        max_image_steps=key.max_image_steps,
        max_text_tokens=key.max_text_tokens,
        hordenode=SharedKeyModels(models=models) if models else UNSET,
    )
