"""The ASGI application: finds the endpoint of a path and a method.

Two dicts serve almost every request in constant time: whole paths, and paths whose last segment is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import Receive, Scope, Send

from hordenode.api.cors import Headers, preflight_headers
from hordenode.api.endpoint import Context, Endpoint, Params, RawEndpoint
from hordenode.api.route import ApiSettings, RawRoute, Reply, Route
from hordenode.ops.metrics import Metrics

App = Callable[[Scope, Receive, Send, Params], Awaitable[None]]

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_SLASHES = re.compile(r"/{2,}")


@dataclass(slots=True)
class Place:
    """A path and what can be done there. The name of its last parameter when it is in `Router._tails`."""

    apps: dict[str, App] = field(default_factory=dict)
    parameter: str = ""

    def allow(self) -> str:
        return ", ".join(sorted({*self.apps, "OPTIONS"}))


class Router:
    """All routes of the API as one ASGI application; it can be mounted in another one.

    services: what handlers find as `call.services`; metrics: where answers are counted.
    Raises ValueError for a route that is declared twice.
    """

    def __init__(
        self,
        routes: Iterable[Route | RawRoute],
        services: Any,
        settings: ApiSettings,
        metrics: Metrics | None = None,
    ) -> None:
        self._context = Context(services, settings, metrics or Metrics())
        self._exact: dict[str, Place] = {}
        self._tails: dict[str, Place] = {}
        self._patterns: dict[re.Pattern[str], Place] = {}
        for route in routes:
            self._add(route)
        for place in (*self._exact.values(), *self._tails.values(), *self._patterns.values()):
            if "GET" in place.apps:
                place.apps.setdefault("HEAD", place.apps["GET"])

    @property
    def common_headers(self) -> Headers:
        """What every answer carries. A server that adds them says so in the state of its scopes (api/cors.py)."""
        return self._context.headers

    def _add(self, route: Route | RawRoute) -> None:
        app = RawEndpoint(route, self._context) if isinstance(route, RawRoute) else Endpoint(route, self._context)
        place = self._place(route.path)
        if route.method in place.apps:
            raise ValueError(f"the route {route.method} {route.path} is declared twice")
        place.apps[route.method] = app

    def _place(self, path: str) -> Place:
        """Where path is kept; the names of its parameters must be the same for all methods."""
        parameters = _PARAMETER.findall(path)
        if not parameters:
            return self._exact.setdefault(path, Place())
        head, _, tail = path.rpartition("/")
        if len(parameters) == 1 and _PARAMETER.fullmatch(tail) and not parameters[0][1]:
            place = self._tails.setdefault(head, Place(parameter=parameters[0][0]))
            if place.parameter != parameters[0][0]:
                raise ValueError(f"{path} names its parameter differently than another route of this path")
            return place
        return self._patterns.setdefault(_compile(path), Place())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _other_protocol(scope, receive, send)
            return
        found = self.find(_path_in_app(scope))
        if found is None:
            message = "There is nothing at this address. The paths of the API begin with /api/v2/."
            await self._context.respond(scope, send, Reply(404, {"message": message}))
            return
        place, params = found
        app = place.apps.get(scope["method"])
        if app is not None:
            await app(scope, receive, send, params)
        elif scope["method"] == "OPTIONS":
            await self._preflight(scope, send)
        else:
            message = f"This address takes {place.allow()}, not {scope['method'][:20]}."
            await self._context.respond(scope, send, Reply(405, {"message": message}, (("Allow", place.allow()),)))

    def find(self, path: str) -> tuple[Place, Params] | None:
        """The place of path and its parameters. Doubled slashes and one at the end are served too (clients.md 3)."""
        found = self._match(path)
        if found is None and ("//" in path or path.endswith("/")):
            found = self._match(_SLASHES.sub("/", path).rstrip("/") or "/")
        return found

    def _match(self, path: str) -> tuple[Place, Params] | None:
        place = self._exact.get(path)
        if place is not None:
            return place, {}
        head, _, tail = path.rpartition("/")
        if tail:
            place = self._tails.get(head)
            if place is not None:
                return place, {place.parameter: tail}
        for pattern, candidate in self._patterns.items():
            match = pattern.fullmatch(path)
            if match:
                return candidate, {
                    name.removesuffix("__path"): unquote(value) if name.endswith("__path") else value
                    for name, value in match.groupdict().items()
                }
        return None

    async def _preflight(self, scope: Scope, send: Send) -> None:
        headers = [
            (b"content-length", b"0"),
            *self._context.common(scope),
            *preflight_headers(dict(scope["headers"])),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _compile(path: str) -> re.Pattern[str]:
    pattern, end = "", 0
    for match in _PARAMETER.finditer(path):
        name, rest = match.groups()
        pattern += re.escape(path[end : match.start()])
        pattern += f"(?P<{name}__path>.+)" if rest else f"(?P<{name}>[^/]+)"
        end = match.end()
    return re.compile(pattern + re.escape(path[end:]), re.DOTALL)


def _path_in_app(scope: Scope) -> str:
    """The path without the mount point: ASGI's `path` contains `root_path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path


async def _other_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing happens here at a server's start and stop (the node has its own), and there are no web sockets."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
