"""A caller of an ASGI application, with full control over what is sent and in which pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

KEY = {"apikey": "0000000000"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back; status 0 when nothing did."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | Sequence[bytes] = b"",
    hang_up: bool = False,
    client: tuple[str, int] | None = ("10.9.8.7", 4000),
    **scope: Any,
) -> Heard:
    """One request. path may hold a query; body in pieces arrives in pieces; hang_up: the caller leaves before its end."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    raw_path, _, query = path.partition("?")
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if hang_up:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    full_scope = {
        "type": "http",
        "method": method,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
        "scheme": "http",
        "server": ("node", 7001),
        "client": client,
        "root_path": "",
        **scope,
    }

    async def run() -> None:
        await app(full_scope, receive, send)

    asyncio.run(run())
    if not sent:
        return Heard(0, {}, b"")
    start = sent[0]
    return Heard(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )
