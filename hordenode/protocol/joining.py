"""Invitations, and what is made with them, under /api/node/v1."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, Request

Code = Annotated[str, Meta(min_length=1, max_length=100)]


class NewInvitation(Request, frozen=True, kw_only=True):
    """A code to register with, or with `worker` one with which a machine joins, once.

    days: 30, of a worker's code 1, unless given; 0 for one that never expires, which a worker's does.
    """

    uses: Annotated[int, Meta(ge=1, le=10_000)] = 1
    days: Annotated[int, Meta(ge=0, le=3650)] | UnsetType = UNSET
    trusted: bool | UnsetType = UNSET
    worker: bool = False


class InvitationMade(Answer, frozen=True, kw_only=True):
    """A code to pass on, which is stored nowhere. id: what it is called from now on. expires: RFC 822, null for never."""

    id: str
    code: str
    worker: bool
    uses: int
    expires: str | None
    trusted: bool


class InvitationDetails(Answer, frozen=True, kw_only=True):
    """An invitation without its code. Dates: RFC 822. joined: the account that a machine got with it."""

    id: str
    worker: bool
    state: Literal["open", "used", "expired"]
    uses: int
    created: str
    expires: str | None
    trusted: bool
    joined: str | None


class NewJoin(Request, frozen=True, kw_only=True):
    """A machine that wants to work here. name: what its workers are to be called.

    attempt: a secret of the machine, the same whenever it repeats this call, so that a lost answer costs no code.
    """

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=30)]
    attempt: Annotated[str, Meta(min_length=22, max_length=100)]


class Joined(Answer, frozen=True, kw_only=True):
    """The machine's own account with its key. name: that of its workers, another one than it asked for if it was taken."""

    username: str
    id: int
    apikey: str
    name: str
