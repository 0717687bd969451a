"""Totals after kill -9: exactly the jobs that were acknowledged as done, however the kills fell (contract 18).

A submission whose answer was cut off is made again after the restart: it is accepted now, or had been (DuplicateGen).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.node_process import NodeProcess, node_process

KILLS = 12
ACTORS = 12
LAST_ANSWER = 300  # a life ends with one of its first so many answers
LAST_MOMENT_S = 0.02  # or so long after it
MODELS = ["model one", "model two"]
OFFERS: dict[str, dict[str, Any]] = {
    "": {"max_pixels": 1048576, "models": MODELS, "name": "painter"},
    "text/": {"max_length": 512, "max_context_length": 4096, "models": MODELS, "name": "writer"},
}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the totals should have it; `kind` is the part of its routes."""

    id: str
    kind: str
    model: str
    things: int
    faulted: bool


@dataclass(slots=True)
class Told:
    """What the node said yes to, and what was asked without an answer."""

    done: dict[str, Job] = field(default_factory=dict)
    doubtful: dict[str, Job] = field(default_factory=dict)


class Life:
    """One run of a node until it is killed at a moment that `chance` draws."""

    def __init__(self, node: NodeProcess, told: Told, chance: random.Random) -> None:
        self._node, self._told, self._chance = node, told, chance
        self._answers, self._last = 0, chance.randint(1, LAST_ANSWER)
        self._pause = chance.uniform(0, LAST_MOMENT_S)

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._act(number)) for number in range(ACTORS)]
        tasks.append(asyncio.create_task(self._read()))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results if not isinstance(result, httpx.TransportError)] == []

    async def _call(self, http: httpx.AsyncClient, method: str, path: str, body: object = None) -> httpx.Response:
        answer = await http.request(method, f"/api/v2/{path}", json=body, headers={"apikey": self._node.owner_key})
        self._answers += 1
        if self._answers == self._last:
            asyncio.get_running_loop().call_later(self._pause, self._node.process.kill)
        return answer

    async def _read(self) -> None:
        """Looks at the totals all the time, so that kills fall into the counting too."""
        async with httpx.AsyncClient(base_url=self._node.url, timeout=60, verify=False) as http:
            while True:
                for path in ("stats/img/totals", "stats/text/totals"):
                    assert (await self._call(http, "GET", path)).status_code == 200

    async def _act(self, number: int) -> None:
        """Asks, serves whatever waits, and first settles what an earlier life left in doubt."""
        async with httpx.AsyncClient(base_url=self._node.url, timeout=60, verify=False) as http:
            for job in list(self._told.doubtful.values())[number::ACTORS]:
                await self._submit(http, job)
            while True:
                kind = self._chance.choice(list(OFFERS))
                await self._ask(http, kind)
                offer = OFFERS[kind] | {"name": f"{OFFERS[kind]['name']} {number}", "amount": 3}
                popped = (await self._call(http, "POST", f"generate/{kind}pop", offer)).json()
                for job_id in popped["ids"]:
                    faulted = self._chance.random() < 0.1
                    await self._submit(http, Job(job_id, kind, popped["model"], things_of(popped["payload"]), faulted))

    async def _ask(self, http: httpx.AsyncClient, kind: str) -> None:
        n = self._chance.randint(1, 3)
        params = {"n": n, "max_length": self._chance.randint(16, 512)}
        if not kind:
            params = {"n": n, "steps": self._chance.randint(1, 40), "width": 256, "height": 64 * n}
        body = {"prompt": "count me", "models": [self._chance.choice(MODELS)], "params": params}
        assert (await self._call(http, "POST", f"generate/{kind}async", body)).status_code in (202, 429)

    async def _submit(self, http: httpx.AsyncClient, job: Job) -> None:
        self._told.doubtful[job.id] = job
        body = {"id": job.id, "generation": "R2", "seed": 1, "state": "faulted" if job.faulted else "ok"}
        answer = await self._call(http, "POST", f"generate/{job.kind}submit", body)
        assert answer.status_code == 200 or answer.json()["rc"] == "DuplicateGen", answer.text
        del self._told.doubtful[job.id]
        if not job.faulted:
            self._told.done[job.id] = job


def things_of(payload: dict[str, Any]) -> int:
    """Pixelsteps, or tokens."""
    if "ddim_steps" in payload:
        return int(payload["width"] * payload["height"] * payload["ddim_steps"])
    return int(payload["max_length"])


async def settle(node: NodeProcess, told: Told) -> None:
    """Everything in doubt, in a life that nobody ends."""
    life = Life(node, told, random.Random(0))
    life._last = -1
    async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
        for job in list(told.doubtful.values()):
            await life._submit(http, job)


def totals(node: NodeProcess, path: str) -> Any:
    return httpx.get(f"{node.url}/api/v2/stats/{path}").raise_for_status().json()


def check(node: NodeProcess, told: Told) -> None:
    for kind, name, jobs, things in (("", "img", "images", "ps"), ("text/", "text", "requests", "tokens")):
        done = [job for job in told.done.values() if job.kind == kind]
        expected = {jobs: len(done), things: sum(job.things for job in done)}
        assert totals(node, f"{name}/totals")["total"] == expected
        by_model = totals(node, f"{name}/models{'?model_state=all' * (not kind)}")["total"]
        assert by_model == Counter(job.model for job in done)


def test_totals_after_kills_at_any_moment_are_the_jobs_that_were_acknowledged(tmp_path: Path) -> None:
    data_dir, told, chance = tmp_path / "data", Told(), random.Random(20240918)
    in_doubt = 0
    for _ in range(KILLS):
        node = NodeProcess(data_dir, "--no-engine")
        asyncio.run(Life(node, told, chance).run())
        node.kill()
        in_doubt += len(told.doubtful)
    with node_process(data_dir, "--no-engine") as node:
        asyncio.run(settle(node, told))
        check(node, told)
    with node_process(data_dir, "--no-engine") as node:
        check(node, told)
    assert len(told.done) > 200 and in_doubt > KILLS / 2, (len(told.done), in_doubt)
