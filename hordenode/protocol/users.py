"""Users as the API shows and changes them (behaviour.md 2.2, 2.3)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import MOST_KUDOS, Answer, Int64, KudosChange, Request


class UserKudosDetails(Answer, frozen=True, kw_only=True):
    """Where a user's kudos came from and went to."""

    accumulated: float = 0.0
    gifted: float = 0.0
    donated: float = 0.0
    admin: float = 0.0
    received: float = 0.0
    recurring: float = 0.0
    awarded: float = 0.0
    styled: float = 0.0


class UserStyle(Answer, frozen=True, kw_only=True):
    """A style of the user."""

    name: str
    id: str
    type: Literal["image", "text"]


class ActiveGenerations(Answer, frozen=True, kw_only=True):
    """Ids of the user's requests that are not done yet, by kind; a kind without any is absent."""

    text: tuple[str, ...] | UnsetType = UNSET
    image: tuple[str, ...] | UnsetType = UNSET
    alchemy: tuple[str, ...] | UnsetType = UNSET


class MonthlyKudos(Answer, frozen=True, kw_only=True):
    """Kudos that the user receives each month. last_received: RFC 822."""

    amount: int | UnsetType = UNSET
    last_received: str | UnsetType = UNSET


class ObsoleteUsage(Answer, frozen=True, kw_only=True):
    """Replaced by records: always sent, always null."""

    megapixelsteps: float | None = None
    requests: int | None = None


class ObsoleteContributions(Answer, frozen=True, kw_only=True):
    """Replaced by records: always sent, always null."""

    megapixelsteps: float | None = None
    fulfillments: int | None = None


class ThingsRecord(Answer, frozen=True, kw_only=True):
    """How much was asked for or made."""

    megapixelsteps: float = 0.0
    tokens: int = 0


class CountRecord(Answer, frozen=True, kw_only=True):
    """How many were asked for or made."""

    image: int = 0
    text: int = 0
    interrogation: int = 0


class UserRecords(Answer, frozen=True, kw_only=True):
    """A user's history in numbers."""

    usage: ThingsRecord = ThingsRecord()
    contribution: ThingsRecord = ThingsRecord()
    fulfillment: CountRecord = CountRecord()
    request: CountRecord = CountRecord()
    style: CountRecord = CountRecord()


class UserDetails(Answer, frozen=True, kw_only=True):
    """A user. username: `name#id`; account_age in seconds. The optional fields depend on who asks."""

    username: str
    id: int
    kudos: float
    concurrency: int
    worker_invited: int
    moderator: bool
    kudos_details: UserKudosDetails
    worker_count: int
    styles: tuple[UserStyle, ...] = ()
    trusted: bool
    flagged: bool
    service: bool
    education: bool
    customizer: bool
    deleted: bool
    pseudonymous: bool
    account_age: int
    usage: ObsoleteUsage = ObsoleteUsage()
    contributions: ObsoleteContributions = ObsoleteContributions()
    records: UserRecords
    worker_ids: tuple[str, ...] | UnsetType = UNSET
    sharedkey_ids: tuple[str, ...] | UnsetType = UNSET
    active_generations: ActiveGenerations | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    vpn: bool | UnsetType = UNSET
    special: bool | UnsetType = UNSET
    evaluating_kudos: float | UnsetType = UNSET
    monthly_kudos: MonthlyKudos | UnsetType = UNSET
    suspicious: int | UnsetType = UNSET
    admin_comment: str | UnsetType = UNSET
    proxy_passkey: str | UnsetType = UNSET


class UserListItem(Answer, frozen=True, kw_only=True):
    """A user in the list: the public level, with every field of the model (behaviour.md 2.2)."""

    username: str
    id: int
    kudos: float
    evaluating_kudos: float | None = None
    concurrency: int
    worker_invited: int
    moderator: bool
    kudos_details: UserKudosDetails
    worker_count: int
    worker_ids: tuple[str, ...] | None = None
    styles: tuple[UserStyle, ...] = ()
    sharedkey_ids: tuple[str, ...] | None = None
    active_generations: ActiveGenerations = ActiveGenerations()
    monthly_kudos: MonthlyKudos = MonthlyKudos()
    trusted: bool
    flagged: bool
    vpn: bool | None = None
    service: bool
    education: bool
    customizer: bool
    special: bool | None = None
    deleted: bool
    suspicious: int | None = None
    pseudonymous: bool
    contact: str | None = None
    admin_comment: str | None = None
    proxy_passkey: str | None = None
    account_age: int
    usage: ObsoleteUsage = ObsoleteUsage()
    contributions: ObsoleteContributions = ObsoleteContributions()
    records: UserRecords


class UsersQuery(Request, frozen=True, kw_only=True):
    """Query of the users list. sort: kudos (descending) or age (oldest first); anything else means kudos."""

    page: Int64 = 1
    sort: str = "kudos"


class UserModify(Request, frozen=True, kw_only=True):
    """A change of a user. kudos and monthly_kudos are added to what is there; filtered is ignored."""

    kudos: KudosChange | UnsetType = UNSET
    monthly_kudos: Annotated[int, Meta(ge=-MOST_KUDOS, le=MOST_KUDOS)] | UnsetType = UNSET
    usage_multiplier: Annotated[float, Meta(ge=0.1, le=10.0)] | UnsetType = UNSET
    moderator: bool | UnsetType = UNSET
    concurrency: Annotated[int, Meta(ge=0, le=500)] | UnsetType = UNSET
    worker_invited: Int64 | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET
    flagged: bool | UnsetType = UNSET
    customizer: bool | UnsetType = UNSET
    vpn: bool | UnsetType = UNSET
    service: bool | UnsetType = UNSET
    education: bool | UnsetType = UNSET
    special: bool | UnsetType = UNSET
    reset_suspicion: bool | UnsetType = UNSET
    admin_comment: Annotated[str, Meta(min_length=5, max_length=500)] | UnsetType = UNSET
    public_workers: bool | UnsetType = UNSET
    username: Annotated[str, Meta(min_length=3, max_length=100)] | UnsetType = UNSET
    contact: Annotated[str, Meta(min_length=5, max_length=500)] | UnsetType = UNSET
    undelete: bool | UnsetType = UNSET
    generate_proxy_passkey: bool | UnsetType = UNSET
    filtered: bool | UnsetType = UNSET


class UserModified(Answer, frozen=True, kw_only=True):
    """What a change of a user came to: only the fields that were changed."""

    new_kudos: float | UnsetType = UNSET
    concurrency: int | UnsetType = UNSET
    usage_multiplier: float | UnsetType = UNSET
    worker_invited: int | UnsetType = UNSET
    moderator: bool | UnsetType = UNSET
    public_workers: bool | UnsetType = UNSET
    username: str | UnsetType = UNSET
    monthly_kudos: int | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET
    flagged: bool | UnsetType = UNSET
    customizer: bool | UnsetType = UNSET
    vpn: bool | UnsetType = UNSET
    service: bool | UnsetType = UNSET
    education: bool | UnsetType = UNSET
    special: bool | UnsetType = UNSET
    undeleted: bool | UnsetType = UNSET
    new_suspicion: int | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    admin_comment: str | UnsetType = UNSET
    proxy_passkey: str | UnsetType = UNSET
