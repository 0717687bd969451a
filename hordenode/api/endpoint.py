"""Around each handler, in the contract's order (behaviour.md 1): body limit, decode, key present, call, encode.

It decides nothing about the API and must stay small: whatever a route needs beyond this belongs into its handler.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from time import perf_counter
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from hordenode.api import caller
from hordenode.api.caller import Callers, HeaderMap
from hordenode.api.cors import CORS_HEADERS, Headers, sends_common
from hordenode.api.errors_wire import ClientGone, crash, error_reply, trouble
from hordenode.api.fields import apply_mask, parse_mask
from hordenode.api.gate import Gate, log_access
from hordenode.api.hangup import unless_gone
from hordenode.api.route import ApiSettings, Auth, Call, RawRoute, Reply, Route
from hordenode.ops import trace
from hordenode.ops.metrics import Metrics
from hordenode.protocol.common import WaitQuery
from hordenode.protocol.decode import decode, decode_query
from hordenode.protocol.errors import HordeError, PlainError, ValidationFailed

Params = dict[str, str]

log = logging.getLogger("hordenode.api")

REQUEST_ID = "x-request-id"
WAITED = "hordenode.waited"  # in the scope of a long poll
_JSON = (b"content-type", b"application/json; charset=utf-8")
_encode = msgspec.json.Encoder().encode


class Context:
    """What all endpoints of an app share."""

    def __init__(self, services: Any, settings: ApiSettings, metrics: Metrics) -> None:
        self.services = services
        self.max_body = settings.max_body
        self.callers = Callers(settings)
        self.gate = Gate(metrics, settings.limits, self.callers, access_log=settings.access_log)
        self.headers: Headers = [*CORS_HEADERS, (b"horde-node", settings.node_name.encode("latin-1", "replace"))]

    def call(self, scope: Scope, headers: HeaderMap, params: Params, query: object) -> Call:
        return Call(
            method=scope["method"],
            path_params=params,
            query=query,
            apikey=caller.apikey(headers),
            client_agent=caller.client_agent(headers),
            client_ip=self.callers.client_ip(scope, headers),
            base_url=self.callers.base_url(scope, headers),
            services=self.services,
            headers=headers,
        )

    def common(self, scope: Scope) -> Headers:
        """The headers of every answer, where the server does not add them."""
        return [] if sends_common(scope) else self.headers

    async def respond(self, scope: Scope, send: Send, reply: Reply) -> None:
        """Sends reply as JSON; to HEAD without its body."""
        await self.send(scope, send, reply, _encode(reply.value))

    async def send(
        self, scope: Scope, send: Send, reply: Reply, body: bytes, more: tuple[tuple[str, str], ...] = ()
    ) -> None:
        headers = [_JSON, (b"content-length", b"%d" % len(body)), *self.common(scope)]
        for name, value in (*reply.headers, *more):
            headers.append((name.lower().encode(), value.encode("latin-1", "replace")))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


class Endpoint:
    """One Route as an ASGI application that also takes the path's parameters."""

    def __init__(self, route: Route, context: Context) -> None:
        self._route = route
        self._context = context
        self._tally = context.gate.tally(route.method, route.path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
        gate, began, headers = self._context.gate, perf_counter(), dict(scope["headers"])
        more: tuple[tuple[str, str], ...] = ((REQUEST_ID, trace.begin(headers.get(b"x-request-id"))),)
        gate.busy += 1
        try:
            more = (*more, *gate.admit(scope, headers))
            reply = await self._answer(scope, headers, receive, params)
            body = _encode(reply.value)
        except ClientGone:
            return
        except HordeError as error:
            reply, body = _failure(error)
        except Exception as error:
            reply, body = _failure(_explained(error, self._route))
        finally:
            gate.busy -= 1
        self._tally.count(reply.status, None if WAITED in scope else perf_counter() - began)
        if gate.access_log:
            log_access(scope, reply.status, began)
        await self._context.send(scope, send, reply, body, more)

    async def _answer(self, scope: Scope, headers: HeaderMap, receive: Receive, params: Params) -> Reply:
        route = self._route
        body = None
        if route.body is not None:
            raw = await read_body(receive, headers, self._context.max_body)
            body = decode(route.body, raw)
        if route.auth is Auth.KEY and b"apikey" not in headers:
            raise ValidationFailed({"apikey": "the header is required; 0000000000 is the anonymous key"})
        query = None if route.query is None else decode_query(route.query, scope["query_string"])
        fields = headers.get(b"x-fields")
        mask = parse_mask(fields.decode("latin-1")) if fields else None
        answering = route.handler(self._context.call(scope, headers, params, query), body)
        if isinstance(query, WaitQuery) and query.wait > 0:
            answer = await self._wait(scope, receive, answering)
        else:
            answer = await answering
        reply = answer if isinstance(answer, Reply) else Reply(route.status, answer)
        if mask is None:
            return reply
        return Reply(reply.status, apply_mask(mask, msgspec.to_builtins(reply.value)), reply.headers)

    async def _wait(self, scope: Scope, receive: Receive, answering: Awaitable[object]) -> object:
        """A long poll: nothing is being done, and nobody is kept from anything."""
        scope[WAITED] = True
        self._context.gate.busy -= 1
        try:
            return await unless_gone(receive, answering)
        finally:
            self._context.gate.busy += 1


class RawEndpoint:
    """One RawRoute likewise: adds the shared headers to its answer, and answers for it when it raises."""

    def __init__(self, route: RawRoute, context: Context) -> None:
        self._route = route
        self._context = context
        self._tally = context.gate.tally(route.method, route.path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
        started, headers = False, dict(scope["headers"])
        request_id = trace.begin(headers.get(b"x-request-id"))

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._tally.count(message["status"], None)
                ours = (*self._context.common(scope), (REQUEST_ID.encode(), request_id.encode()))
                message = {**message, "headers": [*message.get("headers", ()), *ours]}
            await send(message)

        call = self._context.call(scope, headers, params, None)
        try:
            self._context.gate.admit(scope, headers)
            await self._route.handler(call, scope, receive, send_with_headers)
        except ClientGone:
            return
        except Exception as error:
            if started:
                raise  # half an answer is out: only the server can end the connection
            if not isinstance(error, HordeError):
                error = _explained(error, self._route)
            reply = error_reply(error)
            self._tally.count(reply.status, None)
            headers_of_it = (*reply.headers, (REQUEST_ID, request_id))
            await self._context.respond(scope, send, Reply(reply.status, reply.value, headers_of_it))


async def read_body(receive: Receive, headers: HeaderMap, limit: int) -> bytes:
    """The JSON body of a request. Raises PlainError 400 for another content type and 413 above limit bytes."""
    if not _is_json(headers.get(b"content-type", b"")):
        raise PlainError(400, "The request needs a JSON body with the header Content-Type: application/json.")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(pieces)


def _explained(error: Exception, route: Route | RawRoute) -> HordeError:
    """The public form of what nobody expected. The owner reads the rest in the log."""
    public = trouble(error)
    if public is not None:
        log.error("%s %s failed: %s", route.method, route.path, public)
        return public
    log.exception("%s %s failed", route.method, route.path)
    return crash(error)


def _failure(error: HordeError) -> tuple[Reply, bytes]:
    reply = error_reply(error)
    return reply, _encode(reply.value)


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def _too_large(limit: int) -> PlainError:
    return PlainError(413, f"The request is larger than the {limit} bytes that this horde accepts.")
