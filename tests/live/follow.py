"""A follower of the event stream, on the ASGI application itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Message

from hordenode.client.events import Event, read_events
from tests.support.horde import Horde


class Follower:
    """Events as they come. `status` of the answer once it began; `hold` stops reading until it is set again."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()
        self._asked = False
        self.ended = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._events = read_events(self._lines())

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self._chunks.put_nowait(message.get("body", b""))

    def finish(self) -> None:
        self._chunks.put_nowait(b"")
        self.ended.set()

    async def next(self) -> Event:
        return await anext(self._events)

    async def until(self, name: str) -> list[Event]:
        """Everything up to the first event of this name."""
        seen = [await self.next()]
        while seen[-1].name != name:
            seen.append(await self.next())
        return seen

    async def _lines(self) -> AsyncIterator[str]:
        rest = ""
        while True:
            chunk = await self._chunks.get()
            if not chunk:
                return
            rest += chunk.decode()
            *lines, rest = rest.split("\n")
            for line in lines:
                yield line


@asynccontextmanager
async def follow(
    horde: Horde, *, key: str | None = None, request: str = "", address: str = "127.0.0.1"
) -> AsyncIterator[Follower]:
    """Follow until the block ends, as somebody who then hangs up."""
    follower = Follower()
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/api/node/v1/events",
        "query_string": f"request={request}".encode(),
        "headers": [(b"apikey", key.encode())] if key else [],
        "scheme": "http",
        "server": ("node", 7001),
        "client": (address, 4000),
        "root_path": "",
    }

    async def serve() -> None:
        try:
            await horde.app(scope, follower.receive, follower.send)
        finally:
            follower.finish()

    task = asyncio.create_task(serve())
    try:
        yield follower
    finally:
        follower.reading.set()
        follower.gone.set()
        await task
