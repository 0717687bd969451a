"""`/register`: a page on which people make themselves an account (contract 1, 26)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from hordenode.api.errors_wire import ClientGone
from hordenode.api.handlers import caller_of, horde
from hordenode.api.pages import PAGE_HEADERS, account_page, registration_page
from hordenode.api.route import Call
from hordenode.coordinator import registration
from hordenode.protocol.decode import decode
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.keys import NewAccount

MOST_BYTES = 20_000
FIELDS = ("username", "contact", "invitation")


async def show(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """GET: the empty form, or why there is none."""
    page = registration_page(horde(call).rules.registration, {})
    await HTMLResponse(page, headers=PAGE_HEADERS)(scope, receive, send)


async def submit(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """POST: a page with the new key, or the form again with what is wrong."""
    status = 200
    entered: dict[str, str] = {}
    try:
        entered = await _form(Request(scope, receive))
        given = {name: value for name, value in entered.items() if value}
        account = await registration.register(
            horde(call), caller_of(call), decode(NewAccount, msgspec.json.encode(given))
        )
        page = account_page(account)
    except HordeError as error:
        status = error.status
        page = registration_page(horde(call).rules.registration, entered, error.message)
    await HTMLResponse(page, status, headers=PAGE_HEADERS)(scope, receive, send)


async def _form(request: Request) -> dict[str, str]:
    """The fields of the form, whatever else was sent. PlainError for another content type and for a large body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise PlainError(400, "This address takes the form of its own page. Programs use POST /api/node/v1/users.")
    data = b""
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > MOST_BYTES:
                raise PlainError(413, f"The form is larger than {MOST_BYTES} bytes.")
    except ClientDisconnect as error:
        raise ClientGone from error
    fields = dict(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))
    return {name: fields.get(name, "").strip() for name in FIELDS}
