"""The lightest HTTP client there is: for measuring a server and not the client. One request at a time, no TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hordenode.protocol.errors import HordeError

_LENGTH = b"content-length: "


class RawConnection:
    """One kept connection to a horde; answers need a Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, key: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = f" HTTP/1.1\r\nHost: {host}\r\napikey: {key}\r\n"

    @classmethod
    @asynccontextmanager
    async def several(cls, url: str, key: str, count: int) -> AsyncIterator[list[RawConnection]]:
        """So many connections to the same server."""
        parts = urlsplit(url)
        made: list[RawConnection] = []
        try:
            for _ in range(count):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                made.append(cls(reader, writer, parts.netloc, key))
            yield made
        finally:
            for connection in made:
                connection._writer.close()

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded JSON of a successful answer. Raises HordeError for another."""
        content = b"" if body is None else msgspec.json.encode(body)
        kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if content else ""
        self._writer.write(f"{method} {path}{self._head}{kind}\r\n".encode() + content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.index(_LENGTH) + len(_LENGTH)
        answer = await self._reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        status = int(head[9:12])
        decoded = msgspec.json.decode(answer)
        if status not in (200, 202):
            raise HordeError.from_wire(status, decoded)
        return decoded
