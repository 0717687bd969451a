"""What a row of the route table says, and what a handler gets and gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from hordenode.config import LimitSettings
from hordenode.protocol.wire import Request


class Auth(Enum):
    """Whether the `apikey` header must be there. Whose key it is, and what it may, the coordinator decides."""

    NONE = "optional"
    KEY = "required"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the HTTP layer needs to know of the configuration. max_body in bytes; node_name: `host:port:version`."""

    node_name: str
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 20 * 2**20
    limits: LimitSettings = field(default_factory=LimitSettings)
    access_log: bool = False


class Call(msgspec.Struct, frozen=True):
    """One HTTP request, without its body.

    client_ip: the peer, or the last hop of X-Forwarded-For when the peer is a trusted proxy. base_url: the address by
    which the caller reached this app, without a slash at the end (`server.public_url` when configured).
    """

    method: str
    path_params: dict[str, str]
    query: Any
    apikey: str | None
    client_agent: str
    client_ip: str
    base_url: str
    services: Any
    headers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    def header(self, name: str) -> str | None:
        """A header of the request; `name` in small letters."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")


class Reply(msgspec.Struct, frozen=True):
    """An answer whose status is not the route's own."""

    status: int
    value: object
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Call, Any], Awaitable[object]]
RawHandler = Callable[[Call, Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API.

    path: `{name}` matches one segment, `{name:path}` at the end the rest with its slashes (decoded once more, so that
    names may come encoded twice). handler returns a struct, a list of structs, or a Reply. answers: the types that it
    returns, for the published schema.
    """

    method: str
    path: str
    handler: Handler
    body: type[Request] | None = None
    query: type[Request] | None = None
    auth: Auth = Auth.NONE
    status: int = 200
    answers: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class RawRoute:
    """An operation that speaks ASGI itself: files, streams. CORS headers and error answers are added around it."""

    method: str
    path: str
    handler: RawHandler
