"""Stored files: signed uploads by workers, signed downloads by anybody who has the link (contract 22)."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from hordenode.api.handlers import horde
from hordenode.api.route import Call
from hordenode.coordinator import files
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.links import RESULTS, check_link
from hordenode.protocol.errors import PlainError


async def upload(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """PUT: exactly 200 when stored; needs no key, takes any content type, may be repeated."""
    co = horde(call)
    limit = _grant(co, call, scope, "PUT")
    if call.path_params["bucket"] != RESULTS:
        raise PlainError(403, "Nothing can be uploaded there.")
    try:
        data = await _body(Request(scope, receive), min(limit, co.rules.max_upload))
    except ClientDisconnect:
        return
    digest = await files.keep_picture(co, RESULTS, call.path_params["key"], data)
    await Response(status_code=200, headers={"etag": f'"{digest}"'})(scope, receive, send)


async def download(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """GET and HEAD, with ranges."""
    co = horde(call)
    _grant(co, call, scope, "GET")
    path: Path | None = await co.blobs.path(call.path_params["bucket"], call.path_params["key"])
    if path is None:
        raise PlainError(404, "There is no such file. Results are kept for about 20 minutes.")
    await FileResponse(path, media_type="image/webp")(scope, receive, send)


def _grant(co: Coordinator, call: Call, scope: Scope, method: str) -> int:
    path = call.path_params
    return check_link(co, method, path["bucket"], path["key"], scope["query_string"].decode("latin-1"))


async def _body(request: Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise PlainError(413, f"The file is larger than the {limit} bytes that this link allows.")
        pieces.append(piece)
    return b"".join(pieces)
