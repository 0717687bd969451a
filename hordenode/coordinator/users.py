"""Users: make one, find the one of a key (contract 2)."""

from __future__ import annotations

from msgspec import UNSET

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import kudos, permissions
from hordenode.domain import ledger as postings
from hordenode.domain.entities import DEFAULT_KEY, ApiKey, Kind, User
from hordenode.protocol.errors import HordeError
from hordenode.protocol.users import (
    ActiveGenerations,
    CountRecord,
    ThingsRecord,
    UserDetails,
    UserKudosDetails,
    UserRecords,
)
from hordenode.store import keys, ledger, requests, sharedkeys, users, workers
from hordenode.store.ledger import KudosDetails
from hordenode.store.tx import Tx

NAME_LENGTH = 30


async def create_user(
    co: Coordinator,
    name: str,
    *,
    kudos_amount: float = 0.0,
    trusted: bool = True,
    moderator: bool = False,
    admin: bool = False,
    concurrency: int = 30,
    key: str | None = None,
) -> tuple[User, str]:
    """A new user and its API key, which is stored nowhere. BadRequest for an impossible name or number."""
    clean = name.strip()
    if not clean or "\0" in clean or "#" in clean:
        raise HordeError("BadRequest", reason="A username needs at least one character, and no '#'.")
    if len(clean) > NAME_LENGTH:
        raise HordeError("TooLongUserName")
    if not 0 <= concurrency <= 500:
        raise HordeError("BadRequest", reason="The concurrency must be between 0 and 500.")
    apikey = key or co.ids.api_key()

    def store(tx: Tx) -> User:
        now = co.clock.now_ms()
        user = User(
            id=users.next_id(tx),
            name=clean,
            created_ms=now,
            active_ms=now,
            concurrency=concurrency,
            moderator=moderator,
            admin=admin,
            trusted=trusted or moderator,
        )
        users.insert(tx, user)
        keys.insert(tx, ApiKey(co.digest(apikey), user.id, now, DEFAULT_KEY, None))
        amount = kudos.milli(kudos_amount)
        ledger.post(tx, postings.grant(user, 0, amount, "admin"), now)
        ledger.add_details(tx, user.id, KudosDetails(admin=amount))
        return user

    return await co.db.write(store), apikey


async def find_user(co: Coordinator, caller: Caller) -> UserDetails:
    """GET /find_user: 401 without a key, 404 for an unknown one (contract 2.2)."""
    if caller.apikey is None and caller.user_id is None:
        raise HordeError("InvalidAPIKey")

    def read(tx: Tx) -> UserDetails:
        user = co.find_caller(tx, caller)
        if user is None:
            raise HordeError("UserNotFound", id="of this API key")
        return details(tx, user, user, co.clock.now_ms())

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
        kudos_details=UserKudosDetails(
            accumulated=kudos.kudos(money.accumulated),
            gifted=kudos.kudos(money.gifted),
            donated=kudos.kudos(money.donated),
            admin=kudos.kudos(money.admin),
            received=kudos.kudos(money.received),
            recurring=kudos.kudos(money.recurring),
            awarded=kudos.kudos(money.awarded),
            styled=kudos.kudos(money.styled),
        ),
        worker_count=len(ids),
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
        evaluating_kudos=kudos.kudos(money.evaluating) if level == 2 else UNSET,
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
