"""Connections of the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from hordenode.config import LimitSettings
from hordenode.connections import Connections, JoinedWrites, guarded
from hordenode.server import HttpServer
from tests.support.aio import run
from tests.support.horde import open_horde


def test_answers_do_not_wait_for_the_other_side_to_confirm_the_first_half() -> None:
    """TCP_NODELAY is set, though asyncio does not know that the listener's connections are TCP."""

    async def story() -> None:
        made: list[asyncio.Transport] = []

        class Watched(guarded(Connections(LimitSettings()), [])):  # type: ignore[misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                super().connection_made(transport)
                made.append(transport)

        server = HttpServer(Starlette(), "127.0.0.1", 0)
        server._server.config.http_protocol_class = Watched
        server._server.config.http = Watched
        url = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
        (transport,) = made
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        await writer.wait_closed()
        await server.stop()

    run(story())


class Written(asyncio.Transport):
    """Keeps what each call gave to the system."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.calls.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.calls.append(b"closed")


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


def test_the_head_of_an_answer_goes_out_with_its_body() -> None:
    async def story() -> None:
        written = Written()
        joined = JoinedWrites(written, asyncio.get_running_loop())
        for piece in (HEAD, b"body", b"more", HEAD, b""):
            joined.write(piece)
        assert written.calls == [HEAD + b"body", b"more", HEAD]
        await asyncio.sleep(0)
        assert len(written.calls) == 3

    run(story())


def test_no_head_is_kept_back_or_lost() -> None:
    async def story() -> None:
        written = Written()
        joined = JoinedWrites(written, asyncio.get_running_loop())
        joined.write(HEAD)
        await asyncio.sleep(0)
        assert written.calls == [HEAD]
        joined.write(HEAD)
        joined.close()
        assert written.calls == [HEAD, HEAD, b"closed"]

    run(story())


def test_a_stream_without_anything_to_say_yet_has_begun_for_its_client() -> None:
    async def story() -> None:
        heard = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await heard.wait()
            await send({"type": "http.response.body", "body": b"news"})

        server = HttpServer(app, "127.0.0.1", 0)
        url = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        heard.set()
        assert b"news" in await reader.read()
        writer.close()
        await writer.wait_closed()
        await server.stop()

    run(story())


def test_a_server_adds_the_common_headers_once_to_every_answer(tmp_path: Path) -> None:
    asked = (
        ("GET", "/api/v2/status/heartbeat"),
        ("HEAD", "/api/v2/status/heartbeat"),
        ("OPTIONS", "/api/v2/generate/async"),
        ("PUT", "/api/v2/status/heartbeat"),
        ("GET", "/api/node/v1/events"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
    )

    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            for common in (None, horde.app.common_headers):
                server = HttpServer(horde.app, "127.0.0.1", 0, common=common)
                async with httpx.AsyncClient(base_url=await server.start()) as client:
                    for method, path in asked:
                        async with client.stream(method, path) as answer:
                            for name, value in horde.app.common_headers:
                                assert answer.headers.get_list(name.decode()) == [value.decode()], path
                horde.co.streams.close()
                await server.stop()

    run(story())


def test_a_body_that_is_waited_for_is_asked_for_without_the_headers_of_an_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_horde(tmp_path / "horde") as horde:
            server = HttpServer(horde.app, "127.0.0.1", 0, common=horde.app.common_headers)
            url = await server.start()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(
                b"POST /api/v2/generate/text/async HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\napikey: 0000000000\r\n"
                b"Content-Type: application/json\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"
            )
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b'{"prompt":"fox"}')
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 202")
            assert answer.lower().count(b"access-control-allow-origin: *\r\n") == 1
            writer.close()
            await writer.wait_closed()
            await server.stop()

    run(story())
