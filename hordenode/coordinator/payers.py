"""Whose request it is, and who pays: a user, or a shared key with its limits (contract 3.1, 5, 14)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.sharedkeys import models_of
from hordenode.domain.entities import ANONYMOUS_ID, SharedKey, User
from hordenode.domain.spec import GenerationSpec, ImageSpec
from hordenode.protocol.errors import HordeError
from hordenode.store import sharedkeys, styles, users
from hordenode.store.tx import Tx

SHARED_KEY_LENGTH = 36  # a UUID; keys of users have 22 characters


class Payer(msgspec.Struct, frozen=True):
    """The user whose request it is, and the shared key of that user which pays.

    downgraded: it comes after all others. by_style: the key is that of the style, and its limits do not count.
    """

    user: User
    key: SharedKey | None = None
    downgraded: bool = False
    by_style: bool = False


def find_payer(tx: Tx, co: Coordinator, caller: Caller, *, downgrade: bool, style_key: str | None = None) -> Payer:
    """Contract 3.1, check 7. `style_key`: id of the shared key of the request's style, which pays if it is usable.

    Raises InvalidAPIKey, SharedKeyEmpty, SharedKeyExpired, SharedKeyAssignedStyles. The caller's own key must be good in
    any case ([FIX]).
    """
    payer = _caller(tx, co, caller, downgrade=downgrade)
    key = None if style_key is None else sharedkeys.find(tx, style_key)
    owner = None if key is None else users.find(tx, key.user_id)
    if key is None or owner is None or key.budget == 0 or _expired(key, co.clock.now_ms()):
        return payer
    return Payer(owner, key, by_style=True)


def _caller(tx: Tx, co: Coordinator, caller: Caller, *, downgrade: bool) -> Payer:
    apikey = caller.apikey
    if caller.user_id is not None or apikey is None or len(apikey) != SHARED_KEY_LENGTH:
        return Payer(co.authenticate(tx, caller))
    key = sharedkeys.find(tx, apikey)
    owner = None if key is None else users.find(tx, key.user_id)
    if key is None or owner is None:
        raise HordeError("InvalidAPIKey")
    now = co.clock.now_ms()
    if key.budget == 0:
        return _without_budget(tx, co, downgrade=downgrade)
    if _expired(key, now):
        raise HordeError("SharedKeyExpired", status=403)
    if styles.uses_key(tx, key.id):
        raise HordeError("SharedKeyAssignedStyles")
    co.activity.saw(owner.id, None, now)
    return Payer(owner, key)


def _expired(key: SharedKey, now_ms: int) -> bool:
    return key.expires_ms is not None and key.expires_ms <= now_ms


def _without_budget(tx: Tx, co: Coordinator, *, downgrade: bool) -> Payer:
    """A key that is spent still asks as anybody may, behind all others."""
    anonymous = users.find(tx, ANONYMOUS_ID) if downgrade and co.rules.anonymous else None
    if anonymous is None:
        raise HordeError("SharedKeyEmpty")
    return Payer(anonymous, downgraded=True)


def check_key(payer: Payer, spec: GenerationSpec, amount: int, *, downgrade: bool) -> Payer:
    """Contract 5 and 14: the limits of the shared key, if one pays. `amount`: what the request costs (thousandths).

    Raises BadRequest over a limit, and SharedKeyInsufficientKudos unless the request may be downgraded.
    """
    key = payer.key
    if key is None or payer.by_style:
        return payer
    reason = _over_limit(key, spec)
    if reason is not None:
        raise HordeError("BadRequest", reason=reason)
    if key.budget is None or amount <= key.budget:
        return payer
    if not downgrade:
        raise HordeError("SharedKeyInsufficientKudos")
    return replace(payer, downgraded=True)


def _over_limit(key: SharedKey, spec: GenerationSpec) -> str | None:
    if isinstance(spec, ImageSpec):
        if 0 <= key.max_image_pixels < spec.width * spec.height:
            return f"This shared key allows at most {key.max_image_pixels} pixels."
        if 0 <= key.max_image_steps < spec.steps:
            return f"This shared key allows at most {key.max_image_steps} steps."
    elif 0 <= key.max_text_tokens < spec.max_length:
        return f"This shared key allows at most {key.max_text_tokens} tokens."
    allowed = models_of(key)
    asked = spec.audience.models
    if allowed and (not asked or not set(asked) <= set(allowed)):
        return f"This shared key only allows requests for these models: {', '.join(allowed)}."
    return None
