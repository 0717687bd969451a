"""What holds for the whole horde: modes, addresses in timeout, documents, news."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable

from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import documents, house
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.house import (
    AddressRequest,
    Document,
    HordeModes,
    HordeModesChanged,
    IPTimeout,
    IPTimeoutRequest,
    ModesRequest,
    NewsPiece,
    WorkerBlockRequest,
)

PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><body>{body}</body></html>'


async def modes(call: Call, _: None) -> HordeModes:
    return await house.modes(horde(call), caller_of(call))


async def set_modes(call: Call, body: ModesRequest) -> HordeModesChanged:
    return await house.set_modes(horde(call), caller_of(call), body)


async def list_timeouts(call: Call, _: None) -> list[IPTimeout]:
    return await house.list_timeouts(horde(call), caller_of(call))


async def timeouts_of(call: Call, _: None) -> list[IPTimeout]:
    return await house.timeouts_of(horde(call), caller_of(call), call.path_params["ipaddr"])


async def add_timeout(call: Call, body: IPTimeoutRequest) -> SimpleAnswer:
    return await house.add_timeout(horde(call), caller_of(call), body)


async def remove_timeout(call: Call, body: AddressRequest) -> SimpleAnswer:
    return await house.remove_timeout(horde(call), caller_of(call), body)


async def block_worker(call: Call, body: WorkerBlockRequest) -> SimpleAnswer:
    return await house.block_worker(horde(call), caller_of(call), call.path_params["worker_id"], body)


async def unblock_worker(call: Call, _: None) -> SimpleAnswer:
    return await house.unblock_worker(horde(call), caller_of(call), call.path_params["worker_id"])


async def news(call: Call, _: None) -> list[NewsPiece]:
    return documents.news(horde(call))


def document(name: str) -> Callable[[Call, None], Awaitable[Document]]:
    """The handler of documents/{name}."""

    async def answer(call: Call, _: None) -> Document:
        return documents.document(horde(call), name, call.query.format)

    return answer


def page(name: str) -> Callable[[Call, Scope, Receive, Send], Awaitable[None]]:
    """The handler of /{name}: the document as a page for people."""

    async def answer(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        body = documents.page(horde(call), name)
        await HTMLResponse(PAGE.format(title=html.escape(name.capitalize()), body=body))(scope, receive, send)

    return answer
