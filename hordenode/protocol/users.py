"""Users as the API shows them (behaviour.md 2.2)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from hordenode.protocol.wire import Answer


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
