"""Well-behaved clients and workers among those that stall, hang up in the middle, flood and come back for ever.

The well-behaved come from 127.0.0.1, which has no limits here; the others from 127.0.0.9.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.horde import IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.node_process import NodeProcess

BAD = "127.0.0.9"
CLIENTS, WORKERS = 8, 4
PAUSE_S = 0.05  # of a client between two requests
CONFIG = """
[limits]
exempt = ["127.0.0.1/32"]
per_address = 1200
head_seconds = 1.0
stall_seconds = 1.0
connections_each = 64
streams_each = 8
"""
POST = (
    b"POST /api/v2/generate/text/async HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\napikey: 0000000000\r\n"
)
WAIT = POST.replace(b"async", b"pop?wait=60") + b"Content-Length: 2\r\n\r\n{}"
GET = b"GET /api/v2/status/heartbeat HTTP/1.1\r\nHost: x\r\n\r\n"


def write_config(folder: Path) -> Path:
    """The options of a node for this load."""
    path = folder / "mixed.toml"
    path.write_text(CONFIG)
    return path


@dataclass(slots=True)
class Report:
    """What the well-behaved saw. Memory in bytes and open files, sampled evenly."""

    done: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


class MixedLoad:
    """All of them against one node."""

    def __init__(self, node: NodeProcess, seed: int = 1) -> None:
        self._node = node
        self._host, port = node.url.removeprefix("http://").split(":")
        self._port = int(port)
        self._chance = random.Random(seed)
        self._over = asyncio.Event()
        self.report = Report()

    async def run(self, seconds: float, samples: int) -> Report:
        """Run for so long, looking at the process `samples` times."""
        good = [self._client] * CLIENTS + [self._worker] * WORKERS + [self._follower]
        bad = [
            self._stall,
            self._stall,
            self._leave,
            self._leave,
            self._flood,
            self._reconnect,
            self._nonsense,
            self._deaf,
        ]
        tasks = [asyncio.create_task(self._forever(actor, number)) for number, actor in enumerate(good)]
        tasks += [asyncio.create_task(self._bad(actor)) for actor in bad]
        process = psutil.Process(self._node.process.pid)
        for _ in range(samples):
            await asyncio.sleep(seconds / samples)
            self.report.memory.append(process.memory_info().rss)
            self.report.files.append(process.num_fds())
        self._over.set()
        await asyncio.wait(tasks, timeout=40)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.report.wrong[repr(outcome)] += 1
        return self.report

    async def _forever(self, actor: Callable[[httpx.AsyncClient, int], Awaitable[None]], number: int) -> None:
        headers = {"apikey": self._node.owner_key}
        async with httpx.AsyncClient(base_url=f"{self._node.url}/api/v2", timeout=30, headers=headers) as http:
            while not self._over.is_set():
                await actor(http, number)

    async def _call(self, http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
        """A call that must succeed."""
        try:
            answer = await http.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.report.wrong[f"{method} {type(error).__name__}"] += 1
            return {}
        if answer.status_code not in (200, 202):
            self.report.wrong[f"{method} {path.partition('?')[0][:24]} {answer.status_code} {answer.text[:80]}"] += 1
        return answer.json()

    async def _client(self, http: httpx.AsyncClient, number: int) -> None:
        kind, body = ("", IMAGE_REQUEST) if number % 4 == 0 else ("/text", TEXT_REQUEST)
        accepted = await self._call(http, "POST", f"/generate{kind}/async", body)
        path = f"/generate{kind}/status/{accepted.get('id')}?wait=5"
        while not (await self._call(http, "GET", path)).get("done") and not self._over.is_set():
            pass
        self.report.done += 1
        await asyncio.sleep(PAUSE_S)

    async def _worker(self, http: httpx.AsyncClient, number: int) -> None:
        kind, offer = ("", IMAGE_POP) if number % 4 == 0 else ("/text", TEXT_POP)
        job = await self._call(http, "POST", f"/generate{kind}/pop?wait=1", offer | {"name": f"worker {number}"})
        if job.get("id"):
            result = {"id": job["id"], "generation": "R2" if kind == "" else "a text", "seed": 1}
            await self._call(http, "POST", f"/generate{kind}/submit", result)

    async def _follower(self, http: httpx.AsyncClient, number: int) -> None:
        """Takes events for a while."""
        async with http.stream("GET", f"{self._node.url}/api/node/v1/events") as answer:
            if answer.status_code != 200:
                self.report.wrong[f"events {answer.status_code}"] += 1
            count = 0
            async for _ in answer.aiter_lines():
                count += 1
                if count > 300 or self._over.is_set():
                    return

    async def _bad(self, actor: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        while not self._over.is_set():
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                reader, writer = await asyncio.open_connection(self._host, self._port, local_addr=(BAD, 0))
                try:
                    await asyncio.wait_for(actor(reader, writer), 5)
                finally:
                    self.report.bad[actor.__name__] += 1
                    writer.transport.abort()
            await asyncio.sleep(0.005)

    async def _stall(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stops in the head or in the body and waits to be thrown out."""
        whole = POST + b'Content-Length: 500\r\n\r\n{"prompt": "never finished'
        writer.write(whole[: self._chance.randrange(1, len(whole))])
        await writer.drain()
        await reader.read()

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hangs up in mid-body, or while it waits."""
        writer.write(self._chance.choice((POST + b'Content-Length: 500\r\n\r\n{"pro', GET[:20], b"", WAIT)))
        await writer.drain()
        await asyncio.sleep(self._chance.uniform(0, 0.05))

    async def _flood(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As many requests as go through, without reading the answers for long."""
        for _ in range(50):
            writer.write(GET * 20)
            await writer.drain()
        await reader.read(65536)

    async def _reconnect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET)
        await reader.readline()

    async def _nonsense(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes that are no HTTP, JSON that is none, bodies that are too large."""
        body = json.dumps({"prompt": "x" * 10_000, "params": []}).encode()
        writer.write(
            self._chance.choice(
                (
                    self._chance.randbytes(200) + b"\r\n\r\n",
                    POST + b"Content-Length: %d\r\n\r\n" % len(body) + body,
                    POST + b"Content-Length: 999999999\r\n\r\n",
                    POST + b"Content-Length: 5\r\n\r\n{{{{{",
                )
            )
        )
        await reader.read(4096)

    async def _deaf(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follows the events and never reads one."""
        writer.write(b"GET /api/node/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(self._chance.uniform(0, 2))
