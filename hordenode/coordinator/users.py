"""Users as others and themselves see them (contract 2.2)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict, replace

from hordenode.coordinator.accounts import USUAL_CONCURRENCY, NewUser, find_by_alias, make_user
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import kudos, permissions
from hordenode.domain.entities import Kind, User
from hordenode.domain.monthly import monthly_amount
from hordenode.protocol.errors import HordeError
from hordenode.protocol.users import (
    ActiveGenerations,
    CountRecord,
    MonthlyKudos,
    ThingsRecord,
    UserDetails,
    UserKudosDetails,
    UserListItem,
    UserRecords,
    UsersQuery,
    UserStyle,
)
from hordenode.protocol.wire import MOST_KUDOS, rfc822
from hordenode.store import ledger, requests, sharedkeys, styles, suspicions, users, workers
from hordenode.store.tx import Tx

LAST_PAGE = 10_000


async def create_user(
    co: Coordinator,
    name: str,
    *,
    kudos_amount: float = 0.0,
    trusted: bool = True,
    moderator: bool = False,
    admin: bool = False,
    concurrency: int = USUAL_CONCURRENCY,
    key: str | None = None,
) -> tuple[User, str]:
    """A new user and its API key, which is stored nowhere. BadRequest for an impossible name or number."""
    if not abs(kudos_amount) <= MOST_KUDOS:  # nor is it when it is no number
        raise HordeError("BadRequest", reason=f"The kudos must be between -{MOST_KUDOS} and {MOST_KUDOS}.")
    new = NewUser(
        name,
        kudos=kudos.milli(kudos_amount),
        concurrency=concurrency,
        trusted=trusted,
        moderator=moderator,
        admin=admin,
    )
    apikey = key or co.ids.api_key()
    return await co.db.write(lambda tx: make_user(tx, co, new, apikey)), apikey


async def list_users(co: Coordinator, query: UsersQuery) -> list[UserListItem]:
    """GET /users: 25 per page, the richest or the oldest first, at the public level."""
    if query.page > LAST_PAGE:
        return []

    def read(tx: Tx) -> list[UserListItem]:
        now = co.clock.now_ms()
        found = users.page(tx, max(1, query.page), by_age=query.sort == "age")
        return [_listed(details(tx, user, None, now)) for user in found]

    return await co.db.read(read)


def _listed(shown: UserDetails) -> UserListItem:
    return UserListItem(**{name: value for name, value in asdict(shown).items() if value is not UNSET})


async def user_by_alias(co: Coordinator, caller: Caller, alias: str) -> UserDetails:
    """GET /users/{user_id}: without a key the public level; InvalidAPIKey for an unknown one."""

    def read(tx: Tx) -> UserDetails:
        viewer = None if caller.apikey is None and caller.user_id is None else co.authenticate(tx, caller)
        return details(tx, find_by_alias(tx, alias), viewer, co.clock.now_ms())

    return await co.db.read(read)


async def find_user(co: Coordinator, caller: Caller) -> UserDetails:
    """GET /find_user: 401 without a key, 404 for an unknown one; a shared key's owner publicly (contract 2.2, 14)."""
    if caller.apikey is None and caller.user_id is None:
        raise HordeError("InvalidAPIKey")

    def read(tx: Tx) -> UserDetails:
        user = co.find_caller(tx, caller)
        if user is not None:
            return details(tx, user, user, co.clock.now_ms())
        key = sharedkeys.find(tx, caller.apikey or "")
        owner = None if key is None else users.find(tx, key.user_id)
        if key is None or owner is None:
            raise HordeError("UserNotFound", id="of this API key")
        shown = details(tx, owner, None, co.clock.now_ms())
        return replace(shown, username=f"{shown.username} (Shared Key: {key.name or key.id})")

    return await co.db.read(read)


def details(tx: Tx, user: User, viewer: User | None, now_ms: int) -> UserDetails:
    """A user as `viewer` may see it (contract 2.2)."""
    level = permissions.user_detail_level(viewer, user.id)
    money = ledger.details(tx, user.id)
    ids = tuple(workers.ids_of_user(tx, user.id))
    private = level >= 1
    return UserDetails(
        username=user.alias,
        id=user.id,
        kudos=kudos.kudos(ledger.balance(tx, user.id)),
        concurrency=user.concurrency,
        worker_invited=user.worker_invited,
        moderator=user.moderator,
        kudos_details=_kudos_details(money),
        worker_count=len(ids),
        styles=tuple(
            UserStyle(name=style.name, id=style.id, type=style.type)
            for style in styles.of_user(tx, user.id, public_only=not private)
        ),
        trusted=user.trusted,
        flagged=user.flagged,
        service=user.service,
        education=user.education,
        customizer=user.customizer,
        deleted=user.deleted,
        pseudonymous=user.pseudonymous,
        account_age=max(0, now_ms - user.created_ms) // 1000,
        records=_records(tx, user.id),
        worker_ids=ids if private or user.public_workers else UNSET,
        sharedkey_ids=tuple(sharedkeys.ids_of_user(tx, user.id)) if private else UNSET,
        active_generations=_active(tx, user) if private else UNSET,
        contact=user.contact if private and user.contact else UNSET,
        vpn=user.vpn if private else UNSET,
        special=user.special if private else UNSET,
        **(_internals(tx, user, money) if level == 2 else {}),
    )


def _internals(tx: Tx, user: User, money: ledger.KudosDetails) -> dict[str, Any]:
    """What only moderators see; what there is none of is left out."""
    known = users.private(tx, user.id)
    monthly = MonthlyKudos(
        amount=monthly_amount(user, known.monthly_kudos) // 1000,
        last_received=UNSET if known.monthly_paid_ms is None else rfc822(known.monthly_paid_ms),
    )
    return {
        "evaluating_kudos": kudos.kudos(money.evaluating),
        "monthly_kudos": monthly,
        "suspicious": 0 if user.trusted or user.anonymous else suspicions.of_user(tx, user.id),
        "admin_comment": known.admin_comment or UNSET,
        "proxy_passkey": known.proxy_passkey or UNSET,
    }


def _kudos_details(money: ledger.KudosDetails) -> UserKudosDetails:
    return UserKudosDetails(
        accumulated=kudos.kudos(money.accumulated),
        gifted=kudos.kudos(money.gifted),
        donated=kudos.kudos(money.donated),
        admin=kudos.kudos(money.admin),
        received=kudos.kudos(money.received),
        recurring=kudos.kudos(money.recurring),
        awarded=kudos.kudos(money.awarded),
        styled=kudos.kudos(money.styled),
    )


def _active(tx: Tx, user: User) -> ActiveGenerations:
    """Ids of requests that are not done; for anonymous the lists stay empty."""
    found: dict[Kind, list[str]] = {}
    for request_id, kind in () if user.anonymous else requests.open_of_user(tx, user.id):
        found.setdefault(kind, []).append(request_id)
    return ActiveGenerations(
        image=tuple(found[Kind.IMAGE]) if Kind.IMAGE in found else UNSET,
        text=tuple(found[Kind.TEXT]) if Kind.TEXT in found else UNSET,
    )


def _records(tx: Tx, user_id: int) -> UserRecords:
    nothing = (0, 0, 0, 0, 0)
    rows = users.records(tx, user_id)
    image, text, alchemy = (rows.get(kind, nothing) for kind in (Kind.IMAGE, Kind.TEXT, Kind.ALCHEMY))
    return UserRecords(
        request=CountRecord(image=image[0], text=text[0], interrogation=alchemy[0]),
        usage=ThingsRecord(megapixelsteps=image[1] / 1e6, tokens=text[1]),
        fulfillment=CountRecord(image=image[2], text=text[2], interrogation=alchemy[2]),
        contribution=ThingsRecord(megapixelsteps=image[3] / 1e6, tokens=text[3]),
        style=CountRecord(image=image[4], text=text[4], interrogation=alchemy[4]),
    )
