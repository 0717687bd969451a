"""kill -9 in the middle of everything: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.invariants import broken_rules
from tests.support.node_process import NodeProcess, node_process

KILLS = 32
CLIENTS = 200
WORKERS = 16
LATEST_S = 0.5  # after the first answer of a round

REQUEST = {"prompt": "round trip", "models": ["model one"], "params": {"max_length": 80}}
POP = {"name": "killer", "models": ["model one"], "max_length": 512, "max_context_length": 4096}


@dataclass(slots=True)
class Acknowledged:
    """What the node has said yes to. `texts`: request id to the text whose submission was accepted."""

    requests: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


async def client(http: httpx.AsyncClient, told: Acknowledged) -> None:
    """Posts one request after the other until the node is gone."""
    while True:
        answer = await http.post("/api/v2/generate/text/async", json=REQUEST, headers={"apikey": "0000000000"})
        told.answered.set()
        if answer.status_code == 202:
            told.requests.add(answer.json()["id"])
        elif answer.status_code == 429:
            return  # the anonymous user's concurrency is used up by what still waits
        else:
            raise AssertionError(f"{answer.status_code} {answer.text}")


async def worker(http: httpx.AsyncClient, key: str, number: int, told: Acknowledged) -> None:
    """Pops and submits until the node is gone."""
    headers = {"apikey": key}
    while True:
        job: dict[str, Any] = (
            await http.post("/api/v2/generate/text/pop", json=POP | {"name": f"killer {number}"}, headers=headers)
        ).json()
        if not job.get("id"):
            continue
        text = f"text of {job['id']}"
        done = await http.post(
            "/api/v2/generate/text/submit", json={"id": job["id"], "generation": text}, headers=headers
        )
        if done.status_code == 200:
            told.texts[job["id"]] = text


async def load(node: NodeProcess, told: Acknowledged, kill_after: float) -> None:
    """Run everybody at once; kill the node some time after its first answer; everybody notices."""
    told.answered = asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=node.url, limits=limits, timeout=20) as http:
        tasks = [asyncio.create_task(client(http, told)) for _ in range(CLIENTS)]
        tasks += [asyncio.create_task(worker(http, node.owner_key, i, told)) for i in range(WORKERS)]
        await told.answered.wait()
        asyncio.get_running_loop().call_later(kill_after, node.process.kill)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [r for r in results if r is not None and not isinstance(r, httpx.TransportError)]
    assert not broken, broken[:3]


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
        asyncio.run(load(node, told, moments.uniform(0, LATEST_S)))
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
