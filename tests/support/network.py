"""Bad connections: a TCP proxy that delays, and an httpx transport that breaks some of its calls."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

CHUNK = 65536
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@asynccontextmanager
async def delayed(host: str, port: int, one_way_s: float) -> AsyncIterator[str]:
    """The URL of a proxy before host:port through which every byte takes `one_way_s` longer, in both directions."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(_pump(reader, far_writer, one_way_s), _pump(far_reader, writer, one_way_s))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Pass on what arrives, each piece `delay_s` after it came."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(CHUNK):
        loop.call_later(delay_s, writer.write, data)
    loop.call_later(delay_s, writer.close)


@dataclass(slots=True)
class Flaky(httpx.AsyncBaseTransport):
    """Breaks one call in `every` on average, in one of these ways; `seen` counts them, and the calls that went well.

    refused: never sent. reset: done by the server, the answer is lost. stall: the answer comes `stall_s` later.
    gateway: 502 with HTML, done or not. truncated: half of the answer.
    """

    inner: httpx.AsyncBaseTransport
    seed: int
    every: int = 8
    stall_s: float = 5.0
    stalls: int = 3  # at most, since each takes its time
    seen: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = self._fault()
        self.seen[fault] += 1
        if fault == "refused":
            raise httpx.ConnectError("connection refused", request=request)
        if fault == "gateway before":
            return httpx.Response(502, headers={"Content-Type": "text/html"}, content=HTML)
        answer = await self.inner.handle_async_request(request)
        if fault in ("well", "stall"):
            if fault == "stall":
                await asyncio.sleep(self.stall_s)
            return answer
        content = await answer.aread()
        await answer.aclose()
        if fault == "reset":
            raise httpx.ReadError("connection reset by peer", request=request)
        if fault == "gateway after":
            return httpx.Response(502, headers={"Content-Type": "text/html"}, content=HTML)
        return httpx.Response(
            answer.status_code, headers={"Content-Type": "application/json"}, content=content[: len(content) // 2]
        )

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _fault(self) -> str:
        if self._random.randrange(self.every):
            return "well"
        kinds = ["refused", "reset", "gateway before", "gateway after", "truncated"]
        if self.seen["stall"] < self.stalls:
            kinds.append("stall")
        return self._random.choice(kinds)
