"""Shared keys on the wire (behaviour.md 14)."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import INT64_MAX, Answer, Request

MAX_EXPIRY_DAYS = 36_500
Expiry = Annotated[int, Meta(ge=-1, le=INT64_MAX)]
Budget = Annotated[int, Meta(ge=-1, le=50_000_000)]
Pixels = Annotated[int, Meta(ge=-1, le=4_194_304)]
Limit = Annotated[int, Meta(ge=-1, le=500)]
KeyName = Annotated[str, Meta(min_length=3, max_length=255)]


class SharedKeyExtras(Request, frozen=True, kw_only=True):
    """What the reference does not have. models: the only ones that the key may ask for; empty for any."""

    models: tuple[Annotated[str, Meta(min_length=1, max_length=255)], ...] = ()


class SharedKeyInput(Request, frozen=True, kw_only=True):
    """A new shared key. kudos and limits: -1 for none; expiry in days, -1 or 0 for never."""

    name: KeyName | UnsetType = UNSET
    kudos: Budget = 5000
    expiry: Expiry = -1
    max_image_pixels: Pixels = -1
    max_image_steps: Limit = -1
    max_text_tokens: Limit = -1
    hordenode: SharedKeyExtras | UnsetType = UNSET


class SharedKeyPatch(Request, frozen=True, kw_only=True):
    """A change of a shared key; what is absent stays as it is."""

    name: KeyName | UnsetType = UNSET
    kudos: Budget | UnsetType = UNSET
    expiry: Expiry | UnsetType = UNSET
    max_image_pixels: Pixels | UnsetType = UNSET
    max_image_steps: Limit | UnsetType = UNSET
    max_text_tokens: Limit | UnsetType = UNSET
    hordenode: SharedKeyExtras | UnsetType = UNSET


class SharedKeyModels(Answer, frozen=True, kw_only=True):
    """Sent only with a key that is limited to some models."""

    models: tuple[str, ...]


class SharedKeyDetails(Answer, frozen=True, kw_only=True):
    """A shared key. kudos: what is left, -1 without limit; username: its owner's; expiry: RFC 822, absent for never."""

    id: str
    username: str
    name: str | UnsetType = UNSET
    kudos: int
    expiry: str | UnsetType = UNSET
    utilized: int
    max_image_pixels: int
    max_image_steps: int
    max_text_tokens: int
    hordenode: SharedKeyModels | UnsetType = UNSET
