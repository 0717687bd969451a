"""Connections of the server."""

from __future__ import annotations

import asyncio
import socket

from starlette.applications import Starlette

from hordenode.config import LimitSettings
from hordenode.connections import Connections, guarded
from hordenode.server import HttpServer
from tests.support.aio import run


def test_answers_do_not_wait_for_the_other_side_to_confirm_the_first_half() -> None:
    """TCP_NODELAY is set, though asyncio does not know that the listener's connections are TCP."""

    async def story() -> None:
        made: list[asyncio.Transport] = []

        class Watched(guarded(Connections(LimitSettings()))):  # type: ignore[misc]
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
