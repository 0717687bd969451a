"""kill -9 in the middle of everything: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.invariants import broken_rules
from tests.support.node_process import NodeProcess, node_process

KILLS = 32
CLIENTS = 200
WORKERS = 16
LAST_ANSWER = 1000  # a round ends with one of its first so many answers
LAST_MOMENT_S = 0.01  # or so long after it, while other answers are under way

POP = {"models": ["model one"], "max_length": 512, "max_context_length": 4096}


@dataclass(slots=True)
class Acknowledged:
    """What the node has said yes to. `texts`: job id to the text whose submission was accepted."""

    requests: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)


class Round:
    """One life of a node: clients that post, wait for their text and read it; workers that serve them."""

    def __init__(self, node: NodeProcess, told: Acknowledged, moments: random.Random) -> None:
        self._node, self._told = node, told
        self._answers, self._last = 0, moments.randint(1, LAST_ANSWER)
        self._pause = moments.uniform(0, LAST_MOMENT_S)
        self._waiting: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Run everybody at once until the node is killed and all have noticed."""
        tasks = [asyncio.create_task(self._connected(self._client)) for _ in range(CLIENTS)]
        tasks += [asyncio.create_task(self._connected(self._worker, f"killer {i}")) for i in range(WORKERS)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for event in self._waiting.values():
            event.set()  # nobody will bring these texts any more
        results = await asyncio.gather(*tasks, return_exceptions=True)
        broken = [r for r in results if r is not None and not isinstance(r, httpx.TransportError)]
        assert not broken, broken[:3]
        assert self._answers >= self._last, "the node ended before it was killed"

    async def _connected(self, actor: Callable[..., Awaitable[None]], *arguments: str) -> None:
        """Each has a connection of its own: httpx looks through all of a pool's at every request."""
        async with httpx.AsyncClient(base_url=self._node.url, timeout=60, verify=False) as http:
            await actor(http, *arguments)

    async def _call(self, http: httpx.AsyncClient, method: str, path: str, key: str, body: object = None) -> Any:
        """One request; the answer that makes up the number is the node's last but for those already under way."""
        answer = await http.request(method, f"/api/v2/generate/text/{path}", json=body, headers={"apikey": key})
        self._answers += 1
        if self._answers == self._last:
            asyncio.get_running_loop().call_later(self._pause, self._node.process.kill)
        return answer

    async def _client(self, http: httpx.AsyncClient) -> None:
        """One round trip after the other."""
        while True:
            prompt = str(uuid.uuid4())
            submitted = self._waiting[prompt] = asyncio.Event()
            body = {"prompt": prompt, "models": ["model one"], "params": {"max_length": 80}}
            answer = await self._call(http, "POST", "async", "0000000000", body)
            if answer.status_code == 429:
                return  # what earlier rounds left waiting has used up the anonymous user's concurrency
            assert answer.status_code == 202, f"{answer.status_code} {answer.text}"
            request_id = answer.json()["id"]
            self._told.requests.add(request_id)
            await submitted.wait()
            status = (await self._call(http, "GET", f"status/{request_id}", "0000000000")).json()
            assert status["done"] and len(status["generations"]) == 1, status

    async def _worker(self, http: httpx.AsyncClient, name: str) -> None:
        """Pops and submits."""
        key = self._node.owner_key
        while True:
            job = (await self._call(http, "POST", "pop", key, POP | {"name": name})).json()
            if not job.get("id"):
                continue
            text = f"text of {job['id']}"
            done = await self._call(http, "POST", "submit", key, {"id": job["id"], "generation": text})
            if done.status_code == 200:
                self._told.texts[job["id"]] = text
                self._waiting.setdefault(job["payload"]["prompt"], asyncio.Event()).set()


def check_everything(database: Path, told: Acknowledged) -> None:
    """All that was acknowledged in all rounds so far."""
    assert broken_rules(database) == {}
    connection = sqlite3.connect(database)
    try:
        known = {row[0] for row in connection.execute("SELECT id FROM waiting_prompts")}
        texts = dict(connection.execute("SELECT id, result FROM jobs WHERE state = 'done'").fetchall())
        per_request = connection.execute(
            "SELECT request_id, count(*) FROM jobs WHERE state = 'done' GROUP BY request_id HAVING count(*) > 1"
        ).fetchall()
    finally:
        connection.close()
    assert not told.requests - known, "acknowledged requests are lost"
    assert not [job for job, text in told.texts.items() if texts.get(job) != text], "acknowledged results are lost"
    assert not per_request, "a job was done twice"


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    data_dir, told, moments = tmp_path / "data", Acknowledged(), random.Random(20240501)
    in_the_middle = 0
    for _ in range(KILLS):
        node = NodeProcess(data_dir, "--no-engine")
        before = len(told.requests) + len(told.texts)
        asyncio.run(Round(node, told, moments).run())
        node.kill()
        check_everything(node.database, told)
        in_the_middle += len(told.requests) + len(told.texts) > before
    with node_process(data_dir, "--no-engine") as node:
        check_everything(node.database, told)
        some = sorted(told.requests)[:: max(1, len(told.requests) // 50)]
        for request_id in some:
            assert httpx.get(f"{node.url}/api/v2/generate/text/status/{request_id}").status_code == 200
    assert in_the_middle >= 30, "most kills hit a node that did nothing"
    assert len(told.requests) > CLIENTS and len(told.texts) > CLIENTS
