"""A worker behind a bad connection: nothing is done twice, nothing is lost, and it neither dies nor spins."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from hordenode.catalog import Catalog
from hordenode.client.http import HttpHorde
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.coordinator import janitor
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend
from hordenode.engine.jobs import ModelInfo
from hordenode.ops.events import RequestDone, Subscription
from hordenode.server import HttpServer
from hordenode.version import AGENT
from hordenode.worker.offers import text_offer
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring
from tests.support.aio import run
from tests.support.horde import Horde, open_horde
from tests.support.network import Flaky

SEED = 20261126
JOBS = 500
USERS = 5
MOST_CALLS = 6 * JOBS  # a pop and a submit each, what failed again, and a pop now and then while nothing waits
TTL_S = 200
QUIET_S = 1.0
REQUEST = {"prompt": "Once", "models": ["a text model"], "params": {"max_length": 16, "max_context_length": 512}}


def test_500_jobs_over_a_connection_that_breaks_every_eighth_call(tmp_path: Path) -> None:
    async def story() -> None:
        engine = Engine(Catalog(), EngineSettings(), FakeBackend((ModelInfo("text", "a text model", context=2048),)))
        await engine.start()
        async with open_horde(tmp_path / "horde") as horde:
            server = HttpServer(horde.app, "127.0.0.1", 0)
            url = await server.start()
            flaky = Flaky(httpx.AsyncHTTPTransport(), SEED)
            key = await horde.worker_key()
            client = HttpHorde(url, key, transport=flaky, pause=hurried)
            offer = text_offer(engine.models(), WorkerSettings(), "writer", AGENT)
            assert offer is not None
            worker = TextWorker(Wiring(client, engine, lambda: 7, lambda progress: None, pause=hurried), offer)
            ids = await ask(horde)
            begun = time.monotonic()
            with horde.bus.subscribe(RequestDone) as ends:
                running = asyncio.create_task(worker.run())
                await until_done(horde, ends, key)
            took = time.monotonic() - begun
            worker.stop()
            await running
            await client.aclose()
            await server.stop()
            await check(horde, ids, flaky.seen, took)
        await engine.close()

    run(story())


async def hurried(seconds: float) -> None:
    """The pauses of the worker, a hundred times as short."""
    await asyncio.sleep(seconds / 100)


async def ask(horde: Horde) -> list[str]:
    keys = [await horde.user(f"user {n}", concurrency=500) for n in range(USERS)]
    return [(await horde.ok("POST", "/generate/text/async", REQUEST, key=keys[n % USERS]))["id"] for n in range(JOBS)]


async def until_done(horde: Horde, ends: Subscription, key: str) -> None:
    """Wait for all, taking back what the worker never heard of, as time does in a running node.

    A worker that loses so many jobs within an hour is put into maintenance; its owner takes it out again.
    """
    done = 0
    while done < JOBS:
        try:
            await asyncio.wait_for(ends.next(), QUIET_S)
            done += 1
        except TimeoutError:  # only jobs of lost answers are left: their ttl passes
            horde.clock.advance(TTL_S)
            await janitor.sweep_stale(horde.co)
            worker = await horde.ok("GET", "/workers/name/writer")
            if worker["maintenance_mode"]:
                await horde.ok("PUT", f"/workers/{worker['id']}", {"maintenance": False}, key=key)


async def status(horde: Horde, request_id: str) -> Any:
    return await horde.ok("GET", f"/generate/text/status/{request_id}")


async def check(horde: Horde, ids: list[str], seen: Counter[str], took: float) -> None:
    ends = Counter[str]()
    for each in ids:
        end = await status(horde, each)
        assert end["faulted"] != bool(end["finished"]), end
        ends["faulted" if end["faulted"] else "done"] += 1
        assert len(end["generations"]) == end["finished"] <= 1
    assert ends["done"] >= JOBS * 0.95, ends
    assert all(seen[fault] for fault in ("refused", "reset", "gateway before", "gateway after", "truncated", "stall"))
    assert seen.total() < MOST_CALLS, f"{seen} in {took:.1f} s"
    assert await horde.ledger_sum() == 0
