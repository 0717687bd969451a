"""Accounts and API keys under /api/node/v1: what v2 has no operations for."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, KudosChange, Request

KeyLabel = Annotated[str, Meta(min_length=1, max_length=100)]
Concurrency = Annotated[int, Meta(ge=0, le=500)]


class NewAccount(Request, frozen=True, kw_only=True):
    """A registration. All but username, contact and invitation are the owner's and the moderators' to give."""

    username: Annotated[str, Meta(min_length=3, max_length=100)]
    contact: Annotated[str, Meta(min_length=5, max_length=500)] | UnsetType = UNSET
    invitation: str | UnsetType = UNSET
    kudos: KudosChange | UnsetType = UNSET
    concurrency: Concurrency | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET
    moderator: bool | UnsetType = UNSET


class Account(Answer, frozen=True, kw_only=True):
    """A new user with its key, which is stored nowhere. username: `name#id`."""

    username: str
    id: int
    apikey: str


class NewKey(Request, frozen=True, kw_only=True):
    """A further key. rotate: the key of this name stops working, and the new one takes its place."""

    name: KeyLabel
    rotate: bool = False


class KeyMade(Answer, frozen=True, kw_only=True):
    """A new key, which is stored nowhere."""

    name: str
    apikey: str


class KeyDetails(Answer, frozen=True, kw_only=True):
    """A key without the key. Dates: RFC 822; last_used is null before its first use."""

    name: str
    created: str
    last_used: str | None
