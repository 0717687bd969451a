"""How long engines wait for work: python -m tests.bench.bench_workers [--jobs 200]; prints JSON.

busy: the share of time in which an engine that takes 50 ms per job is at work, its worker behind 100 ms of added
round trip. start_ms: from the answer to the POST until an idle engine begins, for the worker in the node's process and
for one on the network (without and with added delay; one way of it is part of the figure).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hordenode.catalog import Catalog
from hordenode.client.base import HordeClient
from hordenode.client.http import HttpHorde
from hordenode.config import EngineSettings, WorkerSettings
from hordenode.coordinator.local import LocalHorde
from hordenode.engine.backends import Report
from hordenode.engine.engine import Engine
from hordenode.engine.fake import FakeBackend
from hordenode.engine.jobs import Job, ModelInfo, Result
from hordenode.server import HttpServer
from hordenode.version import AGENT
from hordenode.worker.offers import text_offer
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring
from tests.support.horde import Horde, open_horde
from tests.support.network import delayed

JOB_S = 0.05
ONE_WAY_S = 0.05
REQUEST = {"prompt": "Once", "models": ["a text model"], "params": {"max_length": 16, "max_context_length": 512}}
PATH = "/generate/text/async"


class Timed(FakeBackend):
    """Takes exactly `takes_s` seconds per job and notes when each begins."""

    def __init__(self, takes_s: float) -> None:
        super().__init__((ModelInfo("text", "a text model", context=2048),))
        self.begun: asyncio.Queue[float] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._takes_s = takes_s

    def run(self, job: Job, report: Report) -> Result:
        begun = time.perf_counter()
        self._loop.call_soon_threadsafe(self.begun.put_nowait, begun)
        result = super().run(job, lambda progress: None)
        time.sleep(max(0.0, begun + self._takes_s - time.perf_counter()))
        return result


@asynccontextmanager
async def working(horde: HordeClient, backend: Timed) -> AsyncIterator[None]:
    engine = Engine(Catalog(), EngineSettings(), backend)
    await engine.start()
    offer = text_offer(engine.models(), WorkerSettings(), "writer", AGENT)
    assert offer is not None
    worker = TextWorker(Wiring(horde, engine, lambda: 7, lambda progress: None), offer)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running
        await engine.close()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Horde, str, str, str]]:
    """A horde on a socket: with its URL, a worker's key and a user's."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_horde(Path(folder)) as horde:
            server = HttpServer(horde.app, "127.0.0.1", 0)
            url = await server.start()
            yield horde, url, await horde.worker_key(), await horde.user("asker", concurrency=500)
            await server.stop()


async def busy_share(jobs: int) -> float:
    """Of the time between the first beginning and the last end, with always something to do."""
    async with serving() as (horde, url, worker_key, key):
        for _ in range(jobs):
            await horde.ok("POST", PATH, REQUEST, key=key)
        at = urlsplit(url)
        backend = Timed(JOB_S)
        async with delayed(str(at.hostname), at.port or 0, ONE_WAY_S) as far:
            client = HttpHorde(far, worker_key)
            async with working(client, backend):
                begun = [await backend.begun.get() for _ in range(jobs)]
            await client.aclose()
    steady = begun[jobs // 10 :]
    return (len(steady) - 1) * JOB_S / (steady[-1] - steady[0])


async def start_ms(kind: str, samples: int, one_way_s: float = 0.0) -> float:
    """The median from the answer to a POST until the idle engine begins."""
    async with serving() as (horde, url, worker_key, key):
        at = urlsplit(url)
        backend = Timed(0.0)
        async with delayed(str(at.hostname), at.port or 0, one_way_s) as far:
            client: Any = LocalHorde(horde.co, 1, AGENT) if kind == "local" else HttpHorde(far, worker_key)
            async with working(client, backend):
                taken = [await one_start(horde, key, backend) for _ in range(samples)]
            await client.aclose()
        return statistics.median(taken[samples // 10 :]) * 1000


async def one_start(horde: Horde, key: str, backend: Timed) -> float:
    await asyncio.sleep(0.3)  # let the worker get idle
    await horde.ok("POST", PATH, REQUEST, key=key)
    answered = time.perf_counter()
    return await backend.begun.get() - answered


async def measure(jobs: int, samples: int) -> dict[str, float]:
    return {
        "busy": round(await busy_share(jobs), 4),
        "start_ms local": round(await start_ms("local", samples), 2),
        "start_ms lan": round(await start_ms("lan", samples), 2),
        "start_ms lan, 50 ms one way": round(await start_ms("lan", samples, ONE_WAY_S), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--samples", type=int, default=20)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.jobs, options.samples)), indent=1))


if __name__ == "__main__":
    main()
