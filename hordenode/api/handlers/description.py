"""What the API says about itself, to programs and to people."""

from __future__ import annotations

from functools import cache

from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from hordenode.api.openapi import Document, openapi
from hordenode.api.page import page
from hordenode.api.route import Call, Route
from hordenode.api.swagger import swagger

NOTHING_FROM_OUTSIDE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@cache
def document() -> Document:
    """The description of all operations; built once, since the route table never changes."""
    from hordenode.api.routes import ROUTES  # it names the handlers below

    return openapi(route for route in ROUTES if isinstance(route, Route) and route.answers)


@cache
def _swagger() -> Document:
    return swagger(document())


@cache
def _page() -> str:
    return page(document())


async def openapi_json(call: Call, _: None) -> Document:
    return document()


async def swagger_json(call: Call, _: None) -> Document:
    return _swagger()


async def api_page(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """GET and HEAD /api."""
    answer = HTMLResponse(_page(), headers={"content-security-policy": NOTHING_FROM_OUTSIDE})
    if call.method == "HEAD":
        answer.body = b""
    await answer(scope, receive, send)
