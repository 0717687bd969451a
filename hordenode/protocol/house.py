"""Modes, address timeouts, documents and news (behaviour.md 18, 19)."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, Request

AddressText = Annotated[str, Meta(min_length=7, max_length=40)]


class ModesRequest(Request, frozen=True, kw_only=True):
    """PUT status/modes: what is absent stays as it is."""

    maintenance_mode: bool | UnsetType = UNSET
    invite_only_mode: bool | UnsetType = UNSET
    raid_mode: bool | UnsetType = UNSET


class HordeModes(Answer, frozen=True, kw_only=True):
    """raid_mode only for moderators."""

    maintenance_mode: bool
    invite_only_mode: bool
    raid_mode: bool | UnsetType = UNSET


class HordeModesChanged(Answer, frozen=True, kw_only=True):
    """Only what the request named."""

    maintenance_mode: bool | UnsetType = UNSET
    invite_only_mode: bool | UnsetType = UNSET
    raid_mode: bool | UnsetType = UNSET


class IPTimeoutRequest(Request, frozen=True, kw_only=True):
    """POST operations/ipaddr: an address or CIDR block."""

    ipaddr: AddressText
    hours: Annotated[int, Meta(ge=1, le=720)]


class AddressRequest(Request, frozen=True, kw_only=True):
    """DELETE operations/ipaddr."""

    ipaddr: AddressText


class WorkerBlockRequest(Request, frozen=True, kw_only=True):
    """PUT operations/block_worker_ipaddr/{worker_id}."""

    days: Annotated[int, Meta(ge=1, le=30)]


class IPTimeout(Answer, frozen=True, kw_only=True):
    """An address or block in timeout; seconds that are left."""

    ipaddr: str
    seconds: int


class DocumentQuery(Request, frozen=True, kw_only=True):
    """format is open here: a bad one is a BadRequest, not a validation error."""

    format: str = "html"


class Document(Answer, frozen=True, kw_only=True):
    """One of the two."""

    html: str | UnsetType = UNSET
    markdown: str | UnsetType = UNSET


class NewsPiece(Answer, frozen=True, kw_only=True):
    """date_published: YYYY-MM-DD."""

    date_published: str
    newspiece: str
    importance: str | None = None
    tags: tuple[str, ...] | None = None
    title: str | None = None
    more_info_urls: tuple[str, ...] | None = None
